//go:build nominilm

package minilm

var embedded []byte
