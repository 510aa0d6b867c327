// Command features prints what hone makes of texts, for learners of other programs:
//
//	go run ./tools/features -encoder static < train.jsonl > train.features
//
// It reads JSON lines with a "text" and prints one line for each: number:value pairs
// in no special order, each part of length 1: hashed features by their bucket, and
// dense part k from number 262144 + 4096 k on. With -parts it prints the kinds of the
// dense parts instead. Of a slow encoder -vectors names the file of vectors that
// hone simulate --vectors made, for the texts that are in it.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/vector"
)

// wide is how many numbers are kept for each dense part.
const wide = 1 << 12

// kinds are the names of the kinds of dense parts.
var kinds = map[encode.Part]string{encode.Words: "words", encode.Middle: "middle", encode.Sentence: "sentence", encode.Adapted: "adapted"}

func main() {
	name := flag.String("encoder", encoders.Static, "an encoder that needs nothing but the text")
	file := flag.String("vectors", "", "a file of a slow encoder's vectors")
	parts := flag.Bool("parts", false, "print the kinds of the dense parts, and read nothing")
	flag.Parse()
	if err := run(*name, *file, *parts, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "features:", err)
		os.Exit(1)
	}
}

func run(name, file string, parts bool, from io.Reader, to io.Writer) error {
	opened, err := encoders.Open(name, encoders.Options{})
	if err != nil {
		return err
	}
	enc, slow := opened.Fast, opened.Blocking()
	if slow != nil {
		enc = slow
	}
	if parts {
		var names []string
		for _, k := range encode.DenseParts(enc) {
			names = append(names, kinds[k])
		}
		_, err := fmt.Fprintln(to, strings.Join(names, " "))
		return err
	}
	texts, err := readTexts(from)
	if err != nil {
		return err
	}
	if slow != nil {
		if err := makeVectors(slow, file, texts); err != nil {
			return err
		}
	}
	return write(enc, texts, to)
}

func readTexts(from io.Reader) (texts []string, err error) {
	in := json.NewDecoder(from)
	for n := 1; ; n++ {
		var task struct{ Text string }
		switch err := in.Decode(&task); {
		case errors.Is(err, io.EOF):
			return texts, nil
		case err != nil:
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		texts = append(texts, task.Text)
	}
}

// makeVectors has a slow encoder make the vectors that are not in the file; "" is none.
func makeVectors(slow *encode.Blocking, file string, texts []string) error {
	if file != "" {
		f, err := os.Open(file) // #nosec G304 -- the user named it
		if err != nil {
			return err
		}
		if err := errors.Join(slow.Restore(f), f.Close()); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	var needs []encode.Request
	for _, t := range texts {
		needs = append(needs, encode.Request{Text: t})
	}
	return slow.Precompute(context.Background(), needs, func(int, int) {})
}

func write(e encode.Encoder, texts []string, to io.Writer) error {
	w := bufio.NewWriter(to)
	for n, text := range texts {
		var b []byte
		v := e.Encode(text)
		for _, t := range v.Terms {
			b = pair(b, int(t.Bucket()), t.Units()*v.Scale)
		}
		for part, d := range v.Dense {
			if len(d) > wide {
				return fmt.Errorf("text %d: a part of %d numbers; %d are kept for each", n+1, len(d), wide)
			}
			for i, x := range d {
				b = pair(b, vector.Buckets+part*wide+i, x)
			}
		}
		if _, err := w.Write(append(b, '\n')); err != nil {
			return err
		}
	}
	return w.Flush()
}

func pair(b []byte, at int, x float32) []byte {
	b = append(strconv.AppendInt(b, int64(at), 10), ':')
	return append(strconv.AppendFloat(b, float64(x), 'g', -1, 32), ' ')
}
