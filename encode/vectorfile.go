package encode

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/hone-ml/hone/vector"
)

const (
	shelfMagic = "hone vectors 1\n"
	// mostName and mostNumbers are more than a name or a text's vectors have, so that foreign
	// bytes do not ask for all memory.
	mostName    = 1 << 12
	mostNumbers = 1 << 24
)

// Len is how many texts have been encoded.
func (p *Blocking) Len() int {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return len(p.vectors)
}

// Save writes the vectors of all texts that were encoded, for Restore: a first line,
// the slow encoder's name and, text by text in the order of their keys, the key and
// the packed vector, names and vectors behind their lengths. The texts themselves
// are not in it.
func (p *Blocking) Save(w io.Writer) error {
	p.mu.RLock()
	all := maps.Clone(p.vectors)
	p.mu.RUnlock()
	b := bufio.NewWriter(w)
	put := func(x []byte) {
		var n [binary.MaxVarintLen64]byte
		_, _ = b.Write(n[:binary.PutUvarint(n[:], uint64(len(x)))]) // bufio keeps the error for Flush
		_, _ = b.Write(x)
	}
	_, _ = b.WriteString(shelfMagic)
	put([]byte(p.slow.Name()))
	keys := slices.SortedFunc(maps.Keys(all), func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) })
	for _, k := range keys {
		_, _ = b.Write(k[:])
		put(all[k])
	}
	return b.Flush()
}

// Restore adds the vectors that Save wrote, so that their texts need not be encoded.
// On an error, such as vectors of another encoder, nothing is added.
func (p *Blocking) Restore(r io.Reader) error {
	b := bufio.NewReader(r)
	magic := make([]byte, len(shelfMagic))
	if _, err := io.ReadFull(b, magic); err != nil || string(magic) != shelfMagic {
		return errors.New("not a file of vectors")
	}
	name, err := readPrefixed(b, mostName)
	if err != nil {
		return fmt.Errorf("read the encoder's name: %w", err)
	}
	if string(name) != p.slow.Name() {
		return fmt.Errorf("it has vectors of %q, not of %q", name, p.slow.Name())
	}
	got := map[[16]byte][]byte{}
	for {
		var k [16]byte
		if _, err := io.ReadFull(b, k[:]); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("read the key of vector %d: %w", len(got), err)
		}
		x, err := readPrefixed(b, mostNumbers)
		if err != nil {
			return fmt.Errorf("read vector %d: %w", len(got), err)
		}
		if _, _, ok := vector.PackedAs(x); !ok {
			return fmt.Errorf("vector %d is not one", len(got))
		}
		got[k] = x
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.Copy(p.vectors, got)
	return nil
}

// readPrefixed reads what stands behind its length.
func readPrefixed(b *bufio.Reader, most uint64) ([]byte, error) {
	n, err := binary.ReadUvarint(b)
	if err == nil && n > most {
		err = fmt.Errorf("%d bytes are too many", n)
	}
	if err != nil {
		return nil, err
	}
	x := make([]byte, n)
	if _, err = io.ReadFull(b, x); errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return x, err
}
