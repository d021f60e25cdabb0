package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
)

const maxBody = 1 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func answerToken(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, `{"access_token":"bench-token","expires_in":3600,"token_type":"Bearer"}`)
}

// answerRest serves POST /v1/{key}:encrypt and :decrypt. The body is searched rather than parsed: both clients write
// the payload as one base64 string, which is also the answer.
func answerRest(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxBody))
	name, operation, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1/"), ":")
	encrypts := operation == "encrypt"
	text := jsonText(string(body), map[bool]string{true: "plaintext", false: "ciphertext"}[encrypts])
	payload, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(payload) == 0 || r.Header.Get("Authorization") == "" {
		http.Error(w, `{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"not what the bench sends"}}`, 400)
		return
	}
	crc := crc32.Checksum(payload, castagnoli)
	w.Header().Set("Content-Type", "application/json")
	if encrypts {
		fmt.Fprintf(w, `{"name":"%s/cryptoKeyVersions/1","ciphertext":"%s","ciphertextCrc32c":"%d","verifiedPlaintextCrc32c":true,"protectionLevel":"SOFTWARE"}`, name, text, crc)
	} else {
		fmt.Fprintf(w, `{"plaintext":"%s","plaintextCrc32c":"%d","usedPrimary":true,"protectionLevel":"SOFTWARE"}`, text, crc)
	}
}

// jsonText is the string value of a field that needs no escapes.
func jsonText(body, field string) string {
	_, rest, _ := strings.Cut(body, `"`+field+`"`)
	_, rest, _ = strings.Cut(rest, `"`)
	text, _, _ := strings.Cut(rest, `"`)
	return text
}

// answerGrpc serves google.cloud.kms.v1.KeyManagementService/Encrypt and /Decrypt, whose requests both have the name
// in field 1 and the payload in field 2.
func answerGrpc(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxBody))
	name, payload := grpcFields(body)
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Trailer", "Grpc-Status")
	// A google.protobuf.Int64Value: its value is field 1.
	crc := binary.AppendUvarint([]byte{1 << 3}, uint64(crc32.Checksum(payload, castagnoli)))
	var message []byte
	if strings.HasSuffix(r.URL.Path, "/Encrypt") {
		message = appendBytes(message, 1, append(name, "/cryptoKeyVersions/1"...))
		message = appendBytes(message, 2, payload)
		message = appendBytes(message, 4, crc)
		message = append(message, 5<<3, 1)
	} else {
		message = appendBytes(message, 1, payload)
		message = appendBytes(message, 2, crc)
		message = append(message, 3<<3, 1)
	}
	frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	w.Write(append(frame, message...))
	w.Header().Set("Grpc-Status", "0")
}

func appendBytes(to []byte, field byte, value []byte) []byte {
	return append(binary.AppendUvarint(append(to, field<<3|2), uint64(len(value))), value...)
}

// grpcFields reads the first two fields; both are length-delimited and come first.
func grpcFields(body []byte) (name, payload []byte) {
	if len(body) < 5 {
		return nil, nil
	}
	rest := body[5:]
	for len(rest) > 0 && rest[0]&7 == 2 {
		length, size := binary.Uvarint(rest[1:])
		if size <= 0 || uint64(len(rest)-1-size) < length {
			break
		}
		value := rest[1+size : 1+size+int(length)]
		switch rest[0] >> 3 {
		case 1:
			name = append([]byte{}, value...)
		case 2:
			payload = value
		}
		rest = rest[1+size+int(length):]
	}
	return name, payload
}
