// Command newslike prints made-up short news as JSON lines, for measuring speed:
//
//	go run ./tools/newslike -n 7600 > bench/out/news.jsonl
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"

	"github.com/hone-ml/hone/internal/newslike"
)

func main() {
	n := flag.Int("n", 7600, "how many texts")
	topics := flag.Int("topics", 4, "how many topics they are about")
	seed := flag.Uint64("seed", 1, "another seed gives other texts")
	flag.Parse()
	if err := run(*n, *topics, *seed); err != nil {
		fmt.Fprintln(os.Stderr, "newslike:", err)
		os.Exit(1)
	}
}

func run(n, topics int, seed uint64) error {
	if n < 1 || topics < 1 || topics > 26 {
		return fmt.Errorf("%d texts of %d topics; want at least one, and 1 to 26 topics", n, topics)
	}
	w := bufio.NewWriter(os.Stdout)
	enc := json.NewEncoder(w)
	for _, t := range newslike.Make(n, topics, seed) {
		if err := enc.Encode(t); err != nil {
			return err
		}
	}
	return w.Flush()
}
