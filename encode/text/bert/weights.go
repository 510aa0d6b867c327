package bert

import (
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"slices"

	"github.com/hone-ml/hone/encode/text/internal/kernels"
	"github.com/hone-ml/hone/encode/text/internal/lowrank"
	"github.com/hone-ml/hone/encode/text/internal/safetensors"
)

// model is a network that is ready to compute.
type model struct {
	networkShape
	epsilon   float32
	activate  activation
	rows      safetensors.Tensor // of the tokens, as they are in the file
	positions []float32          // with the token type, which is always the first
	norm      layerNorm
	layers    []layer
	early     []layer // those of forwardEarly, without an adapter
	lastOnly  bool    // with an adapter: the middle layers are not summed up
	pooling   lowrank.Pooling
	after     []lowrank.Dense // the pooling
	middle    layerNorm       // without gain and bias
	ones      []float32
	dim       int // of a part
}

// layerNorm holds the gain and the bias that follow a normalisation.
type layerNorm struct{ weight, bias []float32 }

// linear is a matrix and a bias.
type linear struct {
	matrix
	bias []float32
}

type layer struct {
	qkv, attention, inner, output linear
	norm1, norm2                  layerNorm
	added                         *addedFactors // by an adapter, nil without
}

// blockDepth is how many inputs of a matrix stand together, so that a tile of them stays in the
// nearest cache while rows pass.
const blockDepth = 384

// matrix is a matrix in blocks of blockDepth inputs, the last of fewer, each in tiles of
// kernels.TileOut outputs.
type matrix struct {
	in, out int
	tiles   []float32
}

// newMatrix makes room for a matrix.
func newMatrix(in, out int) matrix { return matrix{in, out, make([]float32, in*out)} }

// tile returns the tile of outputs from out on of the block of inputs from in on, and the number
// of its inputs.
func (m *matrix) tile(in, out int) ([]float32, int) {
	depth := min(blockDepth, m.in-in)
	return m.tiles[in*m.out+out*depth:][:depth*kernels.TileOut], depth
}

// fill sets outputs from first on by rows of a matrix as files have it, a row an output.
func (m *matrix) fill(first int, rows []float32) {
	for in := 0; in < m.in; in += blockDepth {
		for r := range len(rows) / m.in {
			out := first + r
			t, depth := m.tile(in, out/kernels.TileOut*kernels.TileOut)
			for i, v := range rows[r*m.in+in:][:depth] {
				t[i*kernels.TileOut+out%kernels.TileOut] = v
			}
		}
	}
}

// tensorReader reads tensors of a file and sums up their bytes.
type tensorReader struct {
	name   string
	file   io.ReaderAt
	all    map[string]safetensors.Tensor
	prefix string
	sum    hash.Hash
}

// openTensors opens a file of tensors. The file must be closed by the caller.
func openTensors(f *folder, name string) (*tensorReader, io.Closer, error) {
	file, err := f.files.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, missingWeights(f, name)
	}
	if err != nil {
		return nil, nil, err
	}
	r := &tensorReader{name: name, sum: f.sum}
	info, err := file.Stat()
	at, random := file.(io.ReaderAt)
	if err == nil && (!random || !info.Mode().IsRegular()) {
		err = errors.New("it is no plain file")
	}
	if err == nil {
		r.file = at
		r.all, err = safetensors.ReadHeader(at, info.Size())
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", name, err), file.Close())
	}
	return r, file, nil
}

// missingWeights says what to do about a file of tensors that is not there.
func missingWeights(f *folder, name string) error {
	base := path.Dir(name)
	const fix = `save the model so: SentenceTransformer("DIR").save_pretrained("DIR", safe_serialization=True)`
	for _, other := range []string{"model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"} {
		if f.exists(path.Join(base, other)) {
			return fmt.Errorf("it has %s, which is not read, and no %s; %s", path.Join(base, other), name, fix)
		}
	}
	return fmt.Errorf("it has no %s; copy it from the model, or %s", name, fix)
}

// has reports whether there is a tensor.
func (r *tensorReader) has(name string) bool {
	_, ok := r.all[r.prefix+name]
	return ok
}

// raw returns a tensor of a shape. All its numbers have been read once.
func (r *tensorReader) raw(name string, shape ...int) (safetensors.Tensor, error) {
	name = r.prefix + name
	t, ok := r.all[name]
	if !ok {
		return t, fmt.Errorf("%s: it has no tensor %q, as a BERT has; copy config.json and the weights from one model", r.name, name)
	}
	if !slices.Equal(t.Shape, shape) {
		return t, fmt.Errorf("%s: tensor %q has the shape %v, and config.json wants %v; copy both from one model", r.name, name, t.Shape, shape)
	}
	t, err := t.Read(r.file)
	if err != nil {
		return t, fmt.Errorf("%s: tensor %q: %w", r.name, name, err)
	}
	_, _ = fmt.Fprintf(r.sum, "%q %v %s\n", name, shape, t.Type)
	_, _ = r.sum.Write(t.Data)
	for i := range max(t.Numbers(), 1) {
		if _, err := t.Number(i); err != nil {
			return t, fmt.Errorf("%s: tensor %q: %w; download the file again", r.name, name, err)
		}
	}
	return t, nil
}

// floats returns the numbers of a tensor of a shape.
func (r *tensorReader) floats(name string, shape ...int) ([]float32, error) {
	t, err := r.raw(name, shape...)
	if err != nil {
		return nil, err
	}
	return t.AppendFloats(make([]float32, 0, t.Numbers()))
}

// norm reads a gain and a bias, which old files call gamma and beta.
func (r *tensorReader) norm(name string, width int) (n layerNorm, err error) {
	weight, bias := name+".weight", name+".bias"
	if !r.has(weight) && r.has(name+".gamma") {
		weight, bias = name+".gamma", name+".beta"
	}
	if n.weight, err = r.floats(weight, width); err != nil {
		return n, err
	}
	n.bias, err = r.floats(bias, width)
	return n, err
}

// linear reads matrices of equal sizes, whose outputs come to stand side by side.
func (r *tensorReader) linear(in, out int, names ...string) (l linear, err error) {
	for i, name := range names {
		weight, err := r.floats(name+".weight", out, in)
		if err != nil {
			return l, err
		}
		if i == 0 { // now the file is known to have as much
			l.matrix = newMatrix(in, out*len(names))
		}
		l.fill(i*out, weight)
		bias, err := r.floats(name+".bias", out)
		if err != nil {
			return l, err
		}
		l.bias = append(l.bias, bias...)
	}
	return l, nil
}

// readModel reads the weights.
func readModel(f *folder, c *folderConfig) (*model, error) {
	r, file, err := openTensors(f, path.Join(c.base, weightsFile))
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	const first = "embeddings.word_embeddings.weight"
	if r.prefix = "bert."; !r.has(first) {
		r.prefix = ""
	}
	m := &model{networkShape: c.networkShape, epsilon: float32(*c.Epsilon), activate: activations[c.Activation], pooling: c.pooling, dim: c.dim()}
	if m.rows, err = r.raw(first, c.Pieces, c.Width); err != nil {
		return nil, err
	}
	if m.positions, err = r.floats("embeddings.position_embeddings.weight", c.Positions, c.Width); err != nil {
		return nil, err
	}
	types, err := r.floats("embeddings.token_type_embeddings.weight", *c.TokenTypes, c.Width)
	if err != nil {
		return nil, err
	}
	for i := range m.positions {
		m.positions[i] += types[i%c.Width]
	}
	if m.norm, err = r.norm("embeddings.LayerNorm", c.Width); err != nil {
		return nil, err
	}
	for i := range c.Layers {
		l, err := r.layer(fmt.Sprintf("encoder.layer.%d.", i), &c.networkShape)
		if err != nil {
			return nil, err
		}
		m.layers = append(m.layers, l)
	}
	m.early = m.layers[:contextLayers(c.Layers)]
	m.ones = slices.Repeat([]float32{1}, max(3*c.Width, c.Inner))
	m.middle = layerNorm{m.ones[:c.Width], make([]float32, c.Width)}
	for _, step := range c.after {
		if err := m.addFinish(f, step); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (r *tensorReader) layer(name string, s *networkShape) (l layer, err error) {
	if l.qkv, err = r.linear(s.Width, s.Width, name+"attention.self.query", name+"attention.self.key", name+"attention.self.value"); err != nil {
		return l, err
	}
	if l.attention, err = r.linear(s.Width, s.Width, name+"attention.output.dense"); err != nil {
		return l, err
	}
	if l.norm1, err = r.norm(name+"attention.output.LayerNorm", s.Width); err != nil {
		return l, err
	}
	if l.inner, err = r.linear(s.Width, s.Inner, name+"intermediate.dense"); err != nil {
		return l, err
	}
	if l.output, err = r.linear(s.Inner, s.Width, name+"output.dense"); err != nil {
		return l, err
	}
	l.norm2, err = r.norm(name+"output.LayerNorm", s.Width)
	return l, err
}

// addFinish reads what a step after the pooling needs.
func (m *model) addFinish(f *folder, step moduleConfig) error {
	if step.dense == nil {
		m.after = append(m.after, lowrank.Dense{})
		return nil
	}
	r, file, err := openTensors(f, path.Join(step.path, weightsFile))
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	d := lowrank.Dense{Tanh: step.dense.tanh}
	if d.Weight, err = r.floats("linear.weight", step.dense.Out, step.dense.In); err != nil {
		return err
	}
	d.Bias = make([]float32, step.dense.Out)
	if step.dense.Bias == nil || *step.dense.Bias {
		if d.Bias, err = r.floats("linear.bias", step.dense.Out); err != nil {
			return err
		}
	}
	m.after = append(m.after, d)
	return nil
}
