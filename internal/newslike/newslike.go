// Package newslike makes texts that cost what short news cost: about 40 words
// with the frequencies of English, names, numbers and punctuation, of a few topics.
// They mean nothing. They are for measuring speed without shipping anybody's news;
// what a model learns of them says nothing about its accuracy.
package newslike

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/hone-ml/hone/encode/text/static"
)

// Text is one of them.
type Text struct {
	Text  string `json:"text"`
	Label string `json:"label"`
}

const (
	fewest, most = 30, 50 // words of a text
	// topical is one in how many words tells the topic.
	topical = 4
	// common words are of no topic.
	common = 300
)

// vocabulary is the whole words of the static table, which has them by frequency.
var vocabulary = sync.OnceValue(func() []string {
	t := static.Default().Tokenizer()
	var out []string
	for id := range int32(t.Len()) {
		p := t.Piece(id)
		if len(p) > 1 && strings.Trim(p, "abcdefghijklmnopqrstuvwxyz") == "" {
			out = append(out, p)
		}
	}
	return out
})

// Make gives n texts of so many topics. Equal arguments give equal texts, and more
// of them begin with the same ones. It panics on less than one topic.
func Make(n, topics int, seed uint64) []Text {
	words := vocabulary()
	rng := rand.New(rand.NewPCG(seed, 0x6e657773))
	anyWord := rand.NewZipf(rng, 1.1, 2.7, uint64(len(words)-1))
	topicWord := rand.NewZipf(rng, 1.1, 20, uint64((len(words)-common)/topics-1))
	out := make([]Text, n)
	var b strings.Builder
	for i := range out {
		topic := rng.IntN(topics)
		b.Reset()
		begins := true
		for j := range fewest + rng.IntN(most-fewest+1) {
			if j > 0 {
				b.WriteByte(' ')
			}
			word := words[anyWord.Uint64()]
			if rng.IntN(40) == 0 {
				word = fmt.Sprint(rng.IntN(2100))
			} else if rng.IntN(topical) == 0 {
				word = words[common+topics*int(topicWord.Uint64())+topic]
			}
			if begins || rng.IntN(8) == 0 {
				word = strings.ToUpper(word[:1]) + word[1:]
			}
			b.WriteString(word)
			begins = false
			switch rng.IntN(16) {
			case 0:
				b.WriteByte('.')
				begins = true
			case 1:
				b.WriteByte(',')
			case 2:
				b.WriteString("'s")
			}
		}
		out[i] = Text{Text: b.String(), Label: fmt.Sprintf("topic %c", 'A'+topic)}
	}
	return out
}
