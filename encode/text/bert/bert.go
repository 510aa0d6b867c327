// Package bert encodes texts by a sentence transformer in a folder as Hugging Face and
// sentence-transformers save it, if its network is that of BERT (Devlin et al. 2019, "BERT";
// Reimers & Gurevych 2019, "Sentence-BERT"): all-MiniLM, bge, gte, arctic-embed, e5 and others.
// The number of layers, all sizes and how the tokens' vectors become one are the folder's.
//
// The bytes are foreign. Nothing of a claimed size is allocated before the file is known to have
// as much, and errors name the file and what to do. Computation is in float32 by the kernels that
// package minilm has too: a text has bit for bit the same vector whatever was encoded beside it.
package bert

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/hone-ml/hone/encode/text/internal/tokenizer"
	"github.com/hone-ml/hone/encode/text/token"
	"github.com/hone-ml/hone/internal/cut"
)

const (
	// Parts is how many vectors of Dim numbers stand one after the other in the vector of a
	// text: that of the middle layers, and that of the last. An encoder with an adapter returns
	// only the last, see Encoder.Parts.
	Parts = 2

	// longestWindow bounds how many tokens go through the network at once, and maxTokens how
	// many of a text are read, in windows.
	longestWindow = 512
	maxTokens     = 4096
	// leastRoom is how many tokens of a text must fit into a window beside the special ones
	// and the prefix.
	leastRoom = 8
)

// Encoder makes vectors of texts. It is immutable and safe for concurrent use.
type Encoder struct {
	name          string
	model         *model
	tokens        *tokenizer.Tokenizer
	before, after []int32 // the tokens around each window, those of the prefix among them
	room          int     // tokens of a text in a window
	lower         bool    // texts are lower-cased first
	dim           int
	free          scratchPool
	adapterHash   string // empty without an adapter
}

// Open reads a folder. Errors name the file, what of it is wrong or not supported, and what to do.
func Open(dir string) (*Encoder, error) {
	if dir == "" {
		return nil, errors.New(`no folder is named; write "bert:DIR" with the folder's name`)
	}
	e, err := openFolder(os.DirFS(dir))
	if err != nil {
		return nil, fmt.Errorf("the folder %s: %w", dir, err)
	}
	return e, nil
}

func openFolder(files fs.FS) (*Encoder, error) {
	f := &folder{files: files, sum: sha256.New()}
	c, err := readConfig(f)
	if err != nil {
		return nil, err
	}
	e := &Encoder{lower: c.lower, dim: c.dim()}
	if e.tokens, err = readTokenizer(f, c.base); err != nil {
		return nil, err
	}
	if e.tokens.Size() > c.Pieces {
		return nil, fmt.Errorf("the tokenizer has %d tokens, and config.json a vocab_size of %d; copy both from one model", e.tokens.Size(), c.Pieces)
	}
	if e.before, e.after, err = e.tokens.Around(); err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	if prefix := strings.TrimSpace(c.prefix); prefix != "" {
		e.before = e.tokens.Append(e.before[:len(e.before):len(e.before)], e.prepare(prefix), longestWindow)
	}
	if e.room = c.length - len(e.before) - len(e.after); e.room < leastRoom {
		return nil, fmt.Errorf("%d tokens are read at once, and %d are special ones and the prefix %q: too few are left for a text; "+
			"set a larger max_seq_length in sentence_bert_config.json, or a shorter prompt", c.length, len(e.before)+len(e.after), c.prefix)
	}
	if e.model, err = readModel(f, c); err != nil {
		return nil, err
	}
	// The name changes with the arithmetic too.
	e.name = "bert/1 " + hex.EncodeToString(f.sum.Sum(nil)[:8])
	e.free = newScratchPool(e.model, c.length)
	return e, nil
}

// Name identifies the encoding: equal names mean equal vectors for equal texts. It comes from the
// content of the files that were read, and has the hash of the adapter.
func (e *Encoder) Name() string {
	if e.adapterHash != "" {
		return e.name + "+adapter-" + e.adapterHash
	}
	return e.name
}

// Dim is the length of each part of a text's vector. Where a dense layer makes the last part of
// another length than that of the middle layers, the shorter one ends in zeros.
func (e *Encoder) Dim() int { return e.dim }

// prepare returns what of a text the tokenizer reads.
func (e *Encoder) prepare(text string) string {
	text = cut.Bytes(text, token.MaxText)
	if e.lower && !e.tokens.HasSpans() { // which makes lower case of it, and keeps places
		text = strings.ToLower(text)
	}
	return text
}
