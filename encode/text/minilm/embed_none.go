//go:build nominilm

package minilm

var embeddedWeights []byte
