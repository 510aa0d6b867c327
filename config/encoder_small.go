//go:build nominilm

package config

// defaultEncoder is the best one in a program without the transformer.
const defaultEncoder = "static"
