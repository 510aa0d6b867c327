package static_test

import (
	"fmt"

	"github.com/hone-ml/hone/encode/text/static"
)

func Example() {
	e := static.Default()
	text := e.Encode(nil, "I lost my wallet and want to block my debit card")
	buf := make([]float32, 0, e.Dim()) // one buffer for all names
	best, highest := "", float32(-1)
	for _, name := range []string{"exchange rate", "lost or stolen card", "change pin"} {
		buf = e.Encode(buf, name)
		var cosine float32
		for i := range buf {
			cosine += buf[i] * text[i]
		}
		if cosine > highest {
			best, highest = name, cosine
		}
	}
	fmt.Println(best)
	// Output: lost or stolen card
}
