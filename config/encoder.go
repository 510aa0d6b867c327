//go:build !nominilm

package config

// defaultEncoder is the best one that is part of the program.
const defaultEncoder = "minilm"
