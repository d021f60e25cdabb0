module sops-keyd/bench/upstream

go 1.24
