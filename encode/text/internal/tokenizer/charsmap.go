package tokenizer

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"
)

// newCharsmap reads SentencePiece's table of replacements: a trie over the bytes as a
// double array (Aoe 1989), and behind it the replacements, each ended by zero.
func newCharsmap(p *component) (func(string) string, error) {
	var s struct {
		Map string `json:"precompiled_charsmap"`
	}
	if err := p.decode(&s); err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.DecodeString(s.Map)
	if err != nil {
		return nil, fmt.Errorf("the Precompiled table: %w", err)
	}
	if len(b) == 0 {
		return func(x string) string { return x }, nil
	}
	if len(b) < 4 || uint64(binary.LittleEndian.Uint32(b)) > uint64(len(b)-4) {
		return nil, errors.New("the Precompiled table is longer than what holds it")
	}
	n := binary.LittleEndian.Uint32(b)
	units := make([]uint32, n/4)
	for i := range units {
		units[i] = binary.LittleEndian.Uint32(b[4+4*i:])
	}
	c := &charsmap{units: units, texts: b[4+n:]}
	return c.normalise, nil
}

type charsmap struct {
	units []uint32
	texts []byte
}

func (c *charsmap) normalise(text string) string {
	var out strings.Builder
	all := graphemes.FromString(text)
	for all.Next() {
		g := all.Value()
		if len(g) < 6 {
			if to, ok := c.replacementOf(g); ok {
				out.Write(to)
				continue
			}
		}
		for at := 0; at < len(g); {
			_, size := utf8.DecodeRuneInString(g[at:])
			if to, ok := c.replacementOf(g[at : at+size]); ok {
				out.Write(to)
			} else {
				out.WriteString(g[at : at+size])
			}
			at += size
		}
	}
	return out.String()
}

// replacementOf returns the replacement of the shortest prefix of s that has one. It
// replaces all of s, as in the reference.
func (c *charsmap) replacementOf(s string) ([]byte, bool) {
	at := uint32(0)
	unit := func() (uint32, bool) {
		if uint64(at) >= uint64(len(c.units)) {
			return 0, false
		}
		return c.units[at], true
	}
	offset := func(u uint32) uint32 { return u >> 10 << (u & (1 << 9) >> 6) }
	u, ok := unit()
	if !ok {
		return nil, false
	}
	at ^= offset(u)
	for i := range len(s) {
		at ^= uint32(s[i])
		if u, ok = unit(); !ok || u&(1<<31|0xff) != uint32(s[i]) || s[i] == 0 {
			return nil, false
		}
		at ^= offset(u)
		if u>>8&1 == 0 {
			continue
		}
		leaf, ok := unit()
		from := uint64(leaf & (1<<31 - 1))
		if !ok || from >= uint64(len(c.texts)) {
			return nil, false
		}
		to := c.texts[from:]
		if end := bytes.IndexByte(to, 0); end >= 0 {
			to = to[:end]
		}
		return to, true
	}
	return nil, false
}
