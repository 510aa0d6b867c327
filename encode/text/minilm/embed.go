//go:build !nominilm

package minilm

import _ "embed"

//go:embed weights.bin
var embeddedWeights []byte
