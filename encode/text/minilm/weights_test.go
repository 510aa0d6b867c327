package minilm

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hone-ml/hone/encode/text/static"
	"github.com/hone-ml/hone/encode/text/wordpiece"
)

func TestWeightsAreThoseThatWereMade(t *testing.T) {
	e := encoder(t)
	want, err := os.ReadFile("weights.bin.sha256")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(embeddedWeights)
	if got := hex.EncodeToString(sum[:]) + "  weights.bin\n"; got != string(want) {
		t.Errorf("weights.bin has the checksum %s, want %s", got, want)
	}
	if !strings.Contains(e.Note(), "Apache License 2.0") {
		t.Errorf("no licence in the note %q", e.Note())
	}
	if e.Dim() != 384 || e.Name() == "" {
		t.Errorf("%q has %d dimensions", e.Name(), e.Dim())
	}
}

// Built with the tag nominilm, Load says that and what to do.
func TestLoad(t *testing.T) {
	e, err := Load()
	if len(embeddedWeights) == 0 {
		if e != nil || !errors.Is(err, ErrNotBuiltIn) || !strings.Contains(err.Error(), "nominilm") {
			t.Errorf("%v, %v", e, err)
		}
		return
	}
	if again, _ := Load(); err != nil || again != e {
		t.Errorf("%v, %v", err, again)
	}
}

func TestBrokenWeights(t *testing.T) {
	encoder(t)
	tokens := static.Default().Tokenizer()
	head := embeddedWeights[:64<<10]
	broken := slices.Clone(embeddedWeights)
	for at := range headerSize {
		broken[at] ^= 0x55
		if _, err := newEncoder(broken, tokens); err == nil {
			t.Errorf("accepted with header byte %d changed", at)
		}
		broken[at] ^= 0x55
	}
	for _, size := range []int{0, 7, headerSize - 1, headerSize, len(head), len(embeddedWeights) - 1} {
		if _, err := newEncoder(embeddedWeights[:size], tokens); err == nil {
			t.Errorf("accepted with %d of %d bytes", size, len(embeddedWeights))
		}
	}
	first := alignUp(headerSize + len(encoder(t).Note()))
	copy(broken[first:], []byte{0, 0, 0xc0, 0x7f})
	if _, err := newEncoder(broken, tokens); err == nil {
		t.Error("accepted with a scale that is not a number")
	}
	pieces := []string{wordpiece.Unknown}
	for id := range tokens.Len() - 1 {
		pieces = append(pieces, "x"+strings.Repeat("y", id%100)+string(rune(0x4e00+id/100)))
	}
	other, err := wordpiece.New(pieces)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newEncoder(embeddedWeights, other); err == nil {
		t.Error("accepted with another vocabulary")
	}
}

// Headers of any content are refused or, if nothing that counts was changed, read.
func FuzzOpen(f *testing.F) {
	if len(embeddedWeights) == 0 {
		f.Skip(ErrNotBuiltIn)
	}
	tokens := static.Default().Tokenizer()
	f.Add(embeddedWeights[:headerSize])
	f.Add(embeddedWeights[:24])
	f.Add([]byte(fileMagic))
	f.Add([]byte("honebert\x01\x00\x00\x00:w\x00\x00\x00\x01\x00\x00X")) // such a note
	want := encoder(f).Encode(nil, "a text")
	whole := slices.Clone(embeddedWeights)
	f.Fuzz(func(t *testing.T, data []byte) {
		copy(whole, embeddedWeights[:headerSize])
		copy(whole[:headerSize], data)
		e, err := newEncoder(whole, tokens)
		if same := bytes.Equal(whole[:headerSize], embeddedWeights[:headerSize]); same && err != nil {
			t.Fatalf("the same header: %v", err)
		}
		// A note of a few bytes more or less ends in the same padding.
		if err == nil && !slices.Equal(e.Encode(nil, "a text"), want) {
			t.Fatal("another header is read as other weights")
		}
		if _, err := newEncoder(data, tokens); err == nil {
			t.Fatalf("%d bytes are accepted", len(data))
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	encoder(b)
	tokens := static.Default().Tokenizer()
	for b.Loop() {
		if _, err := newEncoder(embeddedWeights, tokens); err != nil {
			b.Fatal(err)
		}
	}
}
