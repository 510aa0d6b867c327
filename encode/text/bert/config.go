package bert

import (
	"fmt"
	"math"
	"path"

	"github.com/hone-ml/hone/encode/text/internal/kernels"
	"github.com/hone-ml/hone/encode/text/internal/lowrank"
)

// The most that is taken of a configuration. What is claimed is compared with the weights too,
// before anything of that size is made.
const (
	maxLayers = 128
	maxWidth  = 1 << 13
	maxInner  = 1 << 16
	maxHeads  = 1 << 9
	maxCount  = 1 << 24 // tokens, positions
)

// networkShape is what config.json says of the network.
type networkShape struct {
	Kind         string   `json:"model_type"`
	Layers       int      `json:"num_hidden_layers"`
	Width        int      `json:"hidden_size"`
	Heads        int      `json:"num_attention_heads"`
	Inner        int      `json:"intermediate_size"`
	Positions    int      `json:"max_position_embeddings"`
	TokenTypes   *int     `json:"type_vocab_size"`
	Pieces       int      `json:"vocab_size"`
	Epsilon      *float64 `json:"layer_norm_eps"`
	Activation   string   `json:"hidden_act"`
	PositionKind string   `json:"position_embedding_type"`
	Decoder      bool     `json:"is_decoder"`
}

// folderConfig is what all files but the tokenizer's and the weights say.
type folderConfig struct {
	networkShape
	base    string // the folder of the transformer within the folder
	length  int    // tokens at once
	lower   bool
	prefix  string
	pooling lowrank.Pooling
	after   []moduleConfig // what becomes of the pooled vector
}

// dim returns the length of a part.
func (c *folderConfig) dim() int {
	width := c.Width
	for _, m := range c.after {
		if m.dense != nil {
			width = m.dense.Out
		}
	}
	return max(c.Width, width)
}

func readConfig(f *folder) (*folderConfig, error) {
	c := &folderConfig{}
	modules, err := readModules(f)
	if err != nil {
		return nil, err
	}
	if c.base, err = c.takeTransformer(modules); err != nil {
		return nil, fmt.Errorf("modules.json: %w", err)
	}
	name := path.Join(c.base, "config.json")
	found, err := f.readJSON(name, &c.networkShape)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("it has no %s; name the folder that a model was saved to, such as by `hf download MODEL --local-dir DIR`", name)
	}
	if err := c.networkShape.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := c.readLength(f); err != nil {
		return nil, err
	}
	if err := c.readPrefix(f); err != nil {
		return nil, err
	}
	return c, c.readAfter(f, modules)
}

// check bounds the sizes and refuses what is no BERT.
func (s *networkShape) check() error {
	if s.Kind != "bert" {
		return fmt.Errorf(`the model_type is %q; only "bert" is supported: choose a model of that shape, such as bge-small, e5-small or all-MiniLM-L12-v2, or serve this one for "openai:URL"`, s.Kind)
	}
	if s.PositionKind != "" && s.PositionKind != "absolute" || s.Decoder {
		return fmt.Errorf("position_embedding_type %q, is_decoder %t: only absolute positions and encoders are supported", s.PositionKind, s.Decoder)
	}
	one := 1
	if s.TokenTypes == nil {
		s.TokenTypes = &one
	}
	for _, n := range []struct {
		key                 string
		value, most, factor int
	}{
		{"num_hidden_layers", s.Layers, maxLayers, 1},
		{"hidden_size", s.Width, maxWidth, kernels.TileOut},
		{"num_attention_heads", s.Heads, maxHeads, 1},
		{"intermediate_size", s.Inner, maxInner, kernels.TileOut},
		{"max_position_embeddings", s.Positions, maxCount, 1},
		{"type_vocab_size", *s.TokenTypes, maxCount, 1},
		{"vocab_size", s.Pieces, maxCount, 1},
	} {
		if n.value < 1 || n.value > n.most || n.value%n.factor != 0 {
			return fmt.Errorf("%s is %d; supported are multiples of %d up to %d", n.key, n.value, n.factor, n.most)
		}
	}
	if s.Width%s.Heads != 0 || s.Width/s.Heads%kernels.TileOut != 0 {
		return fmt.Errorf("num_attention_heads is %d for a hidden_size of %d; the size of a head must be a multiple of %d", s.Heads, s.Width, kernels.TileOut)
	}
	epsilon := 1e-12
	if s.Epsilon == nil {
		s.Epsilon = &epsilon
	}
	if !(*s.Epsilon > 0 && *s.Epsilon <= 0.1) {
		return fmt.Errorf("layer_norm_eps is %v; supported are numbers above 0, up to 0.1", *s.Epsilon)
	}
	if _, known := activations[s.Activation]; !known {
		return fmt.Errorf("hidden_act is %q; supported are gelu, gelu_new, gelu_pytorch_tanh and relu", s.Activation)
	}
	return nil
}

// readLength finds how many tokens go through the network at once.
func (c *folderConfig) readLength(f *folder) error {
	var sentence struct {
		Length *float64 `json:"max_seq_length"`
		Lower  bool     `json:"do_lower_case"`
	}
	var tokens struct {
		Length *float64 `json:"model_max_length"` // 1e30 for none
	}
	name := path.Join(c.base, "sentence_bert_config.json")
	if _, err := f.readJSON(name, &sentence); err != nil {
		return err
	}
	c.lower = sentence.Lower
	length := sentence.Length
	if length == nil {
		name = path.Join(c.base, "tokenizer_config.json")
		if _, err := f.readJSON(name, &tokens); err != nil {
			return err
		}
		length = tokens.Length
	}
	c.length = min(c.Positions, longestWindow)
	if length == nil {
		return nil
	}
	if !(*length >= 1) || *length != math.Trunc(*length) {
		return fmt.Errorf("%s: a length of %v tokens", name, *length)
	}
	c.length = int(min(*length, float64(c.length)))
	return nil
}

// labelledPrompt is the prompt that is used where a model has several and names none: models
// that tell tasks apart call that of ours so.
const labelledPrompt = "classification"

// readPrefix finds what stands before each text.
func (c *folderConfig) readPrefix(f *folder) error {
	var s struct {
		Prompts map[string]string `json:"prompts"`
		Default *string           `json:"default_prompt_name"`
	}
	const name = "config_sentence_transformers.json"
	if _, err := f.readJSON(name, &s); err != nil {
		return err
	}
	if s.Default == nil {
		c.prefix = s.Prompts[labelledPrompt]
		return nil
	}
	text, found := s.Prompts[*s.Default]
	if !found {
		return fmt.Errorf("%s: default_prompt_name is %q, which is none of the prompts", name, *s.Default)
	}
	c.prefix = text
	return nil
}
