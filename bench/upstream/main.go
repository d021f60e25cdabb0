// The upstream of the benchmark: what is needed of Cloud KMS (REST and gRPC) and of a token endpoint, on one port.
//
// It is in Go and has no dependencies, so that it costs little beside what is measured. A ciphertext is its plaintext:
// nothing is encrypted. It stops when its standard input is closed.
package main

import (
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
)

type counters struct {
	Calls       atomic.Int64
	Tokens      atomic.Int64
	Connections atomic.Int64
}

func (c *counters) report(w http.ResponseWriter, _ *http.Request) {
	json.NewEncoder(w).Encode(map[string]int64{
		"calls":       c.Calls.Load(),
		"tokens":      c.Tokens.Load(),
		"connections": c.Connections.Load(),
	})
}

func main() {
	withTLS := flag.Bool("tls", false, "serve HTTPS with a certificate of its own")
	latency := flag.Duration("latency", 0, "be a round trip of so long away")
	directory := flag.String("directory", ".", "where ca.pem is written")
	flag.Parse()
	log.SetOutput(io.Discard)

	counted := &counters{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		counted.Tokens.Add(1)
		answerToken(w)
	})
	mux.HandleFunc("POST /v1/", func(w http.ResponseWriter, r *http.Request) {
		counted.Calls.Add(1)
		answerRest(w, r)
	})
	mux.HandleFunc("POST /google.cloud.kms.v1.KeyManagementService/", func(w http.ResponseWriter, r *http.Request) {
		counted.Calls.Add(1)
		answerGrpc(w, r)
	})

	socket, err := net.Listen("tcp", "127.0.0.1:0")
	exitOn(err)
	listener := distantListener{socket, *latency}
	server := &http.Server{Handler: mux, ConnState: func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			counted.Connections.Add(1)
		}
	}}
	ready := map[string]string{"url": "http://" + listener.Addr().String()}
	if *withTLS {
		certificate, pem, err := createCertificate()
		exitOn(err)
		caFile := filepath.Join(*directory, "ca.pem")
		exitOn(os.WriteFile(caFile, pem, 0o600))
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}}
		ready["url"] = "https://" + listener.Addr().String()
		ready["caFile"] = caFile
		go server.ServeTLS(listener, "", "")
	} else {
		go server.Serve(listener)
	}

	// The counters have a port of their own, so that asking for them is not counted.
	admin, err := net.Listen("tcp", "127.0.0.1:0")
	exitOn(err)
	go http.Serve(admin, http.HandlerFunc(counted.report))
	ready["counters"] = "http://" + admin.Addr().String()
	exitOn(json.NewEncoder(os.Stdout).Encode(ready))
	io.Copy(io.Discard, os.Stdin)
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
