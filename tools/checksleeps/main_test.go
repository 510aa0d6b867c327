package main

import (
	"slices"
	"testing"
)

// A sleep is judged by its function, not by its file.
func TestCheckFile(t *testing.T) {
	const src = `package p
import ("testing"; "testing/synctest"; "time")
func TestSimulated(t *testing.T) { synctest.Test(t, func(t *testing.T) {
	time.Sleep(1)
}) }
func TestReal(t *testing.T) {
	time.Sleep(2)
}
func helper() {
	time.Sleep(3) // simulated
	func() {
		time.Sleep(4)
	}()
}
`
	bad, err := checkFile("p_test.go", []byte(src))
	want := []string{"p_test.go:7: time.Sleep(2)", "p_test.go:12: time.Sleep(4)"}
	if err != nil || !slices.Equal(bad, want) {
		t.Errorf("%q, %v", bad, err)
	}
}
