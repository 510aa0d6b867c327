//go:build !race

package app_test

const sizes = 1
