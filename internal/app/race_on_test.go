//go:build race

package app_test

// The race detector makes everything some ten times slower; what is heavy is smaller then.
const sizes = 10
