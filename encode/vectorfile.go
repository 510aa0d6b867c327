package encode

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/hone-ml/hone/vector"
)

const (
	// fileMagic begins a file of the vectors of one slow encoder, severalMagic one of several.
	fileMagic    = "hone vectors 1\n"
	severalMagic = "hone vectors 2\n"
	// maxNameBytes and maxVectorBytes bound the lengths in a file, so that a foreign file
	// cannot make Restore allocate all memory.
	maxNameBytes   = 1 << 12
	maxVectorBytes = 1 << 24
)

// Len returns the number of vectors.
func (p *Blocking) Len() (n int) {
	for _, s := range p.slow {
		s.mu.RLock()
		n += len(s.vectors)
		s.mu.RUnlock()
	}
	return n
}

// Save writes all vectors, for Restore: a first line, and for each slow encoder its name and, in
// the order of keys, the key and the packed vector of each request. The length precedes names
// and vectors. If there are several encoders, the number of vectors follows the name. The
// texts are not written. The error is the writer's.
func (p *Blocking) Save(w io.Writer) error {
	b := vectorWriter{bufio.NewWriter(w)}
	if len(p.slow) == 1 {
		_, _ = b.WriteString(fileMagic) // bufio keeps the error for Flush
	} else {
		_, _ = b.WriteString(severalMagic)
	}
	for _, s := range p.slow {
		s.mu.RLock()
		all := maps.Clone(s.vectors)
		s.mu.RUnlock()
		b.prefixed([]byte(s.encoder.Name()))
		if len(p.slow) != 1 {
			b.number(len(all))
		}
		keys := slices.SortedFunc(maps.Keys(all), func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) })
		for _, k := range keys {
			_, _ = b.Write(k[:])
			b.prefixed(all[k])
		}
	}
	return b.Flush()
}

// vectorWriter keeps its error for Flush.
type vectorWriter struct{ *bufio.Writer }

func (b vectorWriter) number(n int) {
	var v [binary.MaxVarintLen64]byte
	_, _ = b.Write(v[:binary.PutUvarint(v[:], uint64(n))])
}

func (b vectorWriter) prefixed(x []byte) {
	b.number(len(x))
	_, _ = b.Write(x)
}

// Restore adds the vectors that Save wrote, so that their texts need not be encoded. On an error,
// such as a file of another encoder, it adds nothing.
func (p *Blocking) Restore(r io.Reader) error {
	b := bufio.NewReader(r)
	magic := make([]byte, len(fileMagic))
	_, err := io.ReadFull(b, magic)
	several := len(p.slow) != 1
	if err != nil || string(magic) != fileMagic && string(magic) != severalMagic {
		return errors.New("not a file of vectors")
	}
	if several != (string(magic) == severalMagic) {
		return fmt.Errorf("it has the vectors of another number of encoders than %d", len(p.slow))
	}
	got := make([]map[[16]byte][]byte, len(p.slow))
	for i, s := range p.slow {
		if got[i], err = readVectors(b, s.encoder.Name(), several); err != nil {
			return err
		}
	}
	if _, err := b.ReadByte(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("it has more than the vectors of %d encoders", len(p.slow))
	}
	for i, s := range p.slow {
		s.mu.Lock()
		maps.Copy(s.vectors, got[i])
		s.mu.Unlock()
	}
	return nil
}

// readVectors reads those of one encoder: as many as the file says if counted, else all
// to the file's end.
func readVectors(b *bufio.Reader, encoder string, counted bool) (map[[16]byte][]byte, error) {
	name, err := readPrefixed(b, maxNameBytes)
	if err != nil {
		return nil, fmt.Errorf("read the encoder's name: %w", err)
	}
	if string(name) != encoder {
		return nil, fmt.Errorf("it has vectors of %q, not of %q", name, encoder)
	}
	left := uint64(math.MaxUint64)
	if counted {
		if left, err = binary.ReadUvarint(b); err != nil {
			return nil, fmt.Errorf("read the number of vectors: %w", err)
		}
	}
	got := map[[16]byte][]byte{}
	for ; left > 0; left-- {
		var k [16]byte
		if _, err := io.ReadFull(b, k[:]); !counted && errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("read the key of vector %d: %w", len(got), err)
		}
		x, err := readPrefixed(b, maxVectorBytes)
		if err != nil {
			return nil, fmt.Errorf("read vector %d: %w", len(got), err)
		}
		if _, _, ok := vector.PackedAs(x); !ok {
			return nil, fmt.Errorf("vector %d is not one", len(got))
		}
		got[k] = x
	}
	return got, nil
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
