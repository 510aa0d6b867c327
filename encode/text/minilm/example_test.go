//go:build !nominilm

package minilm_test

import (
	"fmt"

	"github.com/hone-ml/hone/encode/text/minilm"
)

func Example() {
	e, err := minilm.Load()
	if err != nil { // built with the tag nominilm
		fmt.Println(err)
		return
	}
	dot := func(a, b []float32) (sum float32) {
		for i := range a {
			sum += a[i] * b[i]
		}
		return sum
	}
	about := func(text string) []float32 { return e.Encode(nil, text)[(minilm.Parts-1)*e.Dim():] } // the last part
	text := about("I still have not received my new card")
	for _, label := range []string{"card arrival", "exchange rate"} {
		fmt.Printf("%s: %.1f\n", label, dot(text, about(label)))
	}
	// Output:
	// card arrival: 0.6
	// exchange rate: 0.1
}
