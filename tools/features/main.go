// Command features prints what hone makes of texts, for learners of other programs:
//
//	go run ./tools/features -encoder static < train.jsonl > train.features
//
// It reads JSON lines with a "text" and prints one line for each: number:value pairs
// in no special order, each part of length 1: hashed features by their bucket, and
// dense part k from number 262144 + 4096 k on.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/vector"
)

// wide is how many numbers are kept for each dense part.
const wide = 1 << 12

func main() {
	name := flag.String("encoder", encoders.Static, "an encoder that needs nothing but the text")
	flag.Parse()
	if err := run(*name, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "features:", err)
		os.Exit(1)
	}
}

func run(name string, from io.Reader, to io.Writer) error {
	e, err := encoders.Open(name, encoders.Options{})
	if err != nil {
		return err
	}
	w, in := bufio.NewWriter(to), json.NewDecoder(from)
	for n := 1; ; n++ {
		var task struct{ Text string }
		switch err := in.Decode(&task); {
		case errors.Is(err, io.EOF):
			return w.Flush()
		case err != nil:
			return fmt.Errorf("line %d: %w", n, err)
		}
		var b []byte
		v := e.Fast.Encode(task.Text)
		for _, t := range v.Terms {
			b = pair(b, int(t.Bucket()), t.Units()*v.Scale)
		}
		for part, d := range v.Dense {
			if len(d) > wide {
				return fmt.Errorf("line %d: a part of %d numbers; %d are kept for each", n, len(d), wide)
			}
			for i, x := range d {
				b = pair(b, vector.Buckets+part*wide+i, x)
			}
		}
		if _, err := w.Write(append(b, '\n')); err != nil {
			return err
		}
	}
}

func pair(b []byte, at int, x float32) []byte {
	b = append(strconv.AppendInt(b, int64(at), 10), ':')
	return append(strconv.AppendFloat(b, float64(x), 'g', -1, 32), ' ')
}
