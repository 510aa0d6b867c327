package minilm

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/hone-ml/hone/encode/text/wordpiece"
)

// The shape of the model.
const (
	layers    = 6
	width     = 384
	heads     = 12
	headWidth = width / heads
	inner     = 4 * width // of the layer within
	positions = 256       // the model has 512, the reference reads 256
)

const (
	magic      = "honebert"
	version    = 1
	headerSize = 56
	align      = 64

	tileOut  = 16              // outputs of a tile
	tileSize = width * tileOut // bytes

	qkvTiles   = 3 * width / tileOut
	widthTiles = width / tileOut
	layerTiles = qkvTiles + widthTiles + 2*inner/width*widthTiles

	layerFloats = 2*3*width + 2*width + 2*width + 3*inner + 2*width + 2*width
)

// The ids of the pieces around every text.
const (
	clsID, sepID = 101, 102
	cls, sep     = "[CLS]", "[SEP]"
)

// model is a parsed weights file. rows and tiles are parts of its bytes.
type model struct {
	note     string
	scales   []float32 // of the rows
	rows     []byte    // word pieces by width, two's complement
	position []float32 // positions by width
	norm     norm
	layers   [layers]layer
	early    []layer // the first ones, for EncodeInContext
}

// norm is what follows a layer's normalisation.
type norm struct{ weight, bias []float32 }

// linear is a matrix of int8 by scales, one an output, and a bias.
type linear struct {
	scale, bias []float32
	tiles       []byte
}

type layer struct {
	qkv, attention linear
	norm1          norm
	// The layer within: its tiles alternate with those of output, a quarter each.
	inner, output linear
	factor        []float32 // what its results are multiplied with, after GELU
	norm2         norm
}

// parse reads the format that tools/minilm/weights.py describes.
func parse(data []byte, tokens *wordpiece.Tokenizer) (*model, error) {
	if len(data) < headerSize || string(data[:len(magic)]) != magic {
		return nil, fmt.Errorf("not the weights of a transformer: they do not begin with %q", magic)
	}
	field := func(i int) int { // what doesn't fit an int is too large anyway
		return int(min(binary.LittleEndian.Uint32(data[len(magic)+4*i:]), math.MaxInt32))
	}
	if v := field(0); v != version {
		return nil, fmt.Errorf("weights of the transformer have version %d, this program reads %d", v, version)
	}
	n, note := field(1), field(3)
	if n != tokens.Len() || field(2) != positions || note > len(data)-headerSize {
		return nil, fmt.Errorf("weights of the transformer are for %d word pieces and %d positions, want %d and %d", n, field(2), tokens.Len(), positions)
	}
	floatsAt := up(headerSize + note)
	floats := n + positions*width + 2*width + layers*layerFloats
	rowsAt := up(floatsAt + 4*floats)
	tilesAt := rowsAt + n*width
	if want := tilesAt + layers*layerTiles*tileSize; len(data) != want {
		return nil, fmt.Errorf("weights of the transformer have %d bytes, their header wants %d", len(data), want)
	}
	if err := sameVocabulary(data[24:headerSize], tokens); err != nil {
		return nil, err
	}
	all := make([]float32, floats)
	for i := range all {
		all[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[floatsAt+4*i:]))
		if !(math.Abs(float64(all[i])) < 1e6) {
			return nil, fmt.Errorf("weights of the transformer: number %d is %v", i, all[i])
		}
	}
	m := &model{note: string(data[headerSize : headerSize+note]), rows: data[rowsAt:tilesAt]}
	m.fill(cutter{floats: all, tiles: data[tilesAt:]}, n)
	return m, nil
}

// cutter cuts off what comes next.
type cutter struct {
	floats []float32
	tiles  []byte
}

func (c *cutter) take(n int) []float32 {
	f := c.floats[:n:n]
	c.floats = c.floats[n:]
	return f
}

func (c *cutter) takeTiles(n int) []byte {
	t := c.tiles[: n*tileSize : n*tileSize]
	c.tiles = c.tiles[n*tileSize:]
	return t
}

func (c *cutter) norm() norm { return norm{c.take(width), c.take(width)} }

func (m *model) fill(c cutter, pieces int) {
	m.scales, m.position, m.norm = c.take(pieces), c.take(positions*width), c.norm()
	for i := range m.layers {
		l := &m.layers[i]
		l.qkv = linear{c.take(3 * width), c.take(3 * width), c.takeTiles(qkvTiles)}
		l.attention = linear{c.take(width), c.take(width), c.takeTiles(widthTiles)}
		l.norm1 = c.norm()
		l.inner = linear{c.take(inner), c.take(inner), c.takeTiles(2 * inner / width * widthTiles)}
		l.factor = c.take(inner)
		l.output = linear{scale: c.take(width), bias: c.take(width)}
		l.norm2 = c.norm()
	}
	m.early = inContext(m.layers[:])
}

// sameVocabulary checks that the weights are for the tokenizer's pieces.
func sameVocabulary(want []byte, tokens *wordpiece.Tokenizer) error {
	sum := sha256.New()
	var line []byte
	for id := range tokens.Len() {
		line = append(append(line[:0], tokens.Piece(int32(id))...), '\n')
		sum.Write(line)
	}
	if !bytes.Equal(sum.Sum(nil), want) || tokens.Len() <= sepID || tokens.Piece(clsID) != cls || tokens.Piece(sepID) != sep {
		return fmt.Errorf("weights of the transformer are for another vocabulary than that of %d word pieces in this program", tokens.Len())
	}
	return nil
}

func up(n int) int { return (n + align - 1) / align * align }
