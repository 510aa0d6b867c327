package minilm

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/hone-ml/hone/encode/text/internal/kernels"
	"github.com/hone-ml/hone/encode/text/wordpiece"
)

// The shape of the model.
const (
	layerCount      = 6
	hiddenSize      = 384
	headCount       = 12
	headSize        = hiddenSize / headCount
	feedForwardSize = 4 * hiddenSize // of the feed-forward layer
	maxPositions    = 256            // the model has 512, the reference reads 256
	normEpsilon     = 1e-12
)

const (
	fileMagic     = "honebert"
	fileVersion   = 1
	headerSize    = 56
	fileAlignment = 64

	tileOut  = kernels.TileOut      // outputs of a tile
	tileSize = hiddenSize * tileOut // bytes

	qkvTiles   = 3 * hiddenSize / tileOut
	widthTiles = hiddenSize / tileOut
	layerTiles = qkvTiles + widthTiles + 2*feedForwardSize/hiddenSize*widthTiles

	layerFloats = 2*3*hiddenSize + 2*hiddenSize + 2*hiddenSize + 3*feedForwardSize + 2*hiddenSize + 2*hiddenSize
)

// The ids of the pieces around every text.
const (
	clsID, sepID       = 101, 102
	clsPiece, sepPiece = "[CLS]", "[SEP]"
)

// model is a parsed weights file. rows and tiles are parts of its bytes.
type model struct {
	note          string
	scales        []float32 // of the rows
	rows          []byte    // word pieces by hiddenSize, two's complement
	position      []float32 // maxPositions by hiddenSize
	norm          layerNorm
	layers        [layerCount]layer
	contextLayers []layer // for EncodeInContext
	lastOnly      bool    // with an adapter: the middle layers are not summed up
}

// layerNorm holds the gain and the bias that follow a normalisation.
type layerNorm struct{ weight, bias []float32 }

// linear is a matrix of int8 by scales, one an output, and a bias.
type linear struct {
	scale, bias []float32
	tiles       []byte
}

type layer struct {
	qkv, attention linear
	norm1          layerNorm
	// The feed-forward layer: its tiles alternate with those of output, a quarter each.
	inner, output linear
	factor        []float32 // what its results are multiplied with, after GELU
	norm2         layerNorm
}

// parse reads the format that tools/minilm/weights.py describes.
func parse(data []byte, tokens *wordpiece.Tokenizer) (*model, error) {
	if len(data) < headerSize || string(data[:len(fileMagic)]) != fileMagic {
		return nil, fmt.Errorf("not the weights of a transformer: they do not begin with %q", fileMagic)
	}
	field := func(i int) int { // what doesn't fit an int is too large anyway
		return int(min(binary.LittleEndian.Uint32(data[len(fileMagic)+4*i:]), math.MaxInt32))
	}
	if v := field(0); v != fileVersion {
		return nil, fmt.Errorf("weights of the transformer have version %d, this program reads %d", v, fileVersion)
	}
	n, note := field(1), field(3)
	if n != tokens.Len() || field(2) != maxPositions || note > len(data)-headerSize {
		return nil, fmt.Errorf("weights of the transformer are for %d word pieces and %d positions, want %d and %d", n, field(2), tokens.Len(), maxPositions)
	}
	floatsAt := alignUp(headerSize + note)
	floats := n + maxPositions*hiddenSize + 2*hiddenSize + layerCount*layerFloats
	rowsAt := alignUp(floatsAt + 4*floats)
	tilesAt := rowsAt + n*hiddenSize
	if want := tilesAt + layerCount*layerTiles*tileSize; len(data) != want {
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
	m.readWeights(weightReader{floats: all, tiles: data[tilesAt:]}, n)
	return m, nil
}

// weightReader takes the arrays of a weights file one after the other.
type weightReader struct {
	floats []float32
	tiles  []byte
}

func (c *weightReader) takeFloats(n int) []float32 {
	f := c.floats[:n:n]
	c.floats = c.floats[n:]
	return f
}

func (c *weightReader) takeTiles(n int) []byte {
	t := c.tiles[: n*tileSize : n*tileSize]
	c.tiles = c.tiles[n*tileSize:]
	return t
}

func (c *weightReader) norm() layerNorm {
	return layerNorm{c.takeFloats(hiddenSize), c.takeFloats(hiddenSize)}
}

func (m *model) readWeights(c weightReader, pieces int) {
	m.scales, m.position, m.norm = c.takeFloats(pieces), c.takeFloats(maxPositions*hiddenSize), c.norm()
	for i := range m.layers {
		l := &m.layers[i]
		l.qkv = linear{c.takeFloats(3 * hiddenSize), c.takeFloats(3 * hiddenSize), c.takeTiles(qkvTiles)}
		l.attention = linear{c.takeFloats(hiddenSize), c.takeFloats(hiddenSize), c.takeTiles(widthTiles)}
		l.norm1 = c.norm()
		l.inner = linear{c.takeFloats(feedForwardSize), c.takeFloats(feedForwardSize), c.takeTiles(2 * feedForwardSize / hiddenSize * widthTiles)}
		l.factor = c.takeFloats(feedForwardSize)
		l.output = linear{scale: c.takeFloats(hiddenSize), bias: c.takeFloats(hiddenSize)}
		l.norm2 = c.norm()
	}
	m.contextLayers = earlyLayers(m.layers[:])
}

// sameVocabulary checks that the weights are for the tokenizer's pieces.
func sameVocabulary(want []byte, tokens *wordpiece.Tokenizer) error {
	sum := sha256.New()
	var line []byte
	for id := range tokens.Len() {
		line = append(append(line[:0], tokens.Piece(int32(id))...), '\n')
		sum.Write(line)
	}
	if !bytes.Equal(sum.Sum(nil), want) || tokens.Len() <= sepID || tokens.Piece(clsID) != clsPiece || tokens.Piece(sepID) != sepPiece {
		return fmt.Errorf("weights of the transformer are for another vocabulary than that of %d word pieces in this program", tokens.Len())
	}
	return nil
}

func alignUp(n int) int { return (n + fileAlignment - 1) / fileAlignment * fileAlignment }
