package bert

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/hone-ml/hone/encode/text/internal/lowrank"
)

// maxModules bounds what follows the pooling.
const maxModules = 16

// moduleEntry is an entry of modules.json: a step from text to vector.
type moduleEntry struct {
	Kind string `json:"type"`
	Path string `json:"path"`
}

// name returns the last part of the type, such as "Pooling". The packages before it have changed.
func (m *moduleEntry) name() string { return m.Kind[strings.LastIndexByte(m.Kind, '.')+1:] }

// readModules returns the entries of modules.json, or those that sentence-transformers assumes.
func readModules(f *folder) ([]moduleEntry, error) {
	var all []moduleEntry
	found, err := f.readJSON("modules.json", &all)
	if err != nil {
		return nil, err
	}
	if !found {
		return []moduleEntry{{Kind: "Transformer"}, {Kind: "Pooling", Path: "1_Pooling"}}, nil
	}
	if len(all) > maxModules {
		return nil, fmt.Errorf("modules.json: %d modules; %d are supported", len(all), maxModules)
	}
	for _, m := range all {
		if m.Path != "" && !fs.ValidPath(m.Path) {
			return nil, fmt.Errorf("modules.json: the path %q leads out of the folder", m.Path)
		}
	}
	return all, nil
}

// takeTransformer returns the folder of the transformer, which is the first module.
func (c *folderConfig) takeTransformer(modules []moduleEntry) (string, error) {
	if len(modules) < 1 || modules[0].name() != "Transformer" {
		return "", errors.New("the first module is no Transformer")
	}
	return modules[0].Path, nil
}

// poolingNames are the ways in which the vectors of tokens become one.
var poolingNames = map[string]lowrank.Pooling{"mean": lowrank.PoolMean, "mean_sqrt_len_tokens": lowrank.PoolRootMean, "cls": lowrank.PoolFirst, "max": lowrank.PoolMax}

// moduleConfig is a step after the pooling: a dense layer, or the scaling to length 1.
type moduleConfig struct {
	dense *denseConfig
	path  string
}

// denseConfig is a dense layer's config.json.
type denseConfig struct {
	In         int    `json:"in_features"`
	Out        int    `json:"out_features"`
	Bias       *bool  `json:"bias"`
	Activation string `json:"activation_function"`
	Input      string `json:"module_input_name"`
	tanh       bool
}

// readAfter reads what comes after the transformer.
func (c *folderConfig) readAfter(f *folder, modules []moduleEntry) error {
	pooled := false
	for _, m := range modules[1:] {
		name := path.Join(m.Path, "config.json")
		var err error
		switch m.name() {
		case "Pooling":
			if pooled {
				err = errors.New("a second Pooling is not supported")
			} else {
				err = c.readPooling(f, name)
			}
			pooled = true
		case "Dense":
			err = c.readDense(f, name, m.Path)
		case "Normalize":
			c.after = append(c.after, moduleConfig{})
		default:
			err = fmt.Errorf("modules.json: a module of the type %q is not supported; Pooling, Dense and Normalize are", m.Kind)
		}
		if err != nil {
			return err
		}
		if !pooled {
			return fmt.Errorf("modules.json: %s comes before the Pooling", m.name())
		}
	}
	if !pooled {
		return errors.New("modules.json: it has no Pooling, so there is one vector a token and none of the text")
	}
	return nil
}

// readPooling reads both forms of its configuration: one flag a mode, and the mode's name.
func (c *folderConfig) readPooling(f *folder, name string) error {
	var s struct {
		Mode   json.RawMessage `json:"pooling_mode"`
		First  bool            `json:"pooling_mode_cls_token"`
		Mean   bool            `json:"pooling_mode_mean_tokens"`
		Max    bool            `json:"pooling_mode_max_tokens"`
		Root   bool            `json:"pooling_mode_mean_sqrt_len_tokens"`
		Weight bool            `json:"pooling_mode_weightedmean_tokens"`
		Last   bool            `json:"pooling_mode_lasttoken"`
		Prompt *bool           `json:"include_prompt"`
		Width  *int            `json:"word_embedding_dimension"`
	}
	found, err := f.readJSON(name, &s)
	if err != nil || !found {
		return err // the default is the mean
	}
	var modes []string
	for mode, on := range map[string]bool{"cls": s.First, "mean": s.Mean, "max": s.Max, "mean_sqrt_len_tokens": s.Root, "weightedmean": s.Weight, "lasttoken": s.Last} {
		if on {
			modes = append(modes, mode)
		}
	}
	if s.Mode != nil {
		modes = make([]string, 1)
		if json.Unmarshal(s.Mode, &modes[0]) != nil {
			if err := json.Unmarshal(s.Mode, &modes); err != nil {
				return fmt.Errorf("%s: pooling_mode: %w", name, err)
			}
		}
	}
	if len(modes) != 1 {
		return fmt.Errorf("%s: it has %d modes of pooling at once; one is supported", name, len(modes))
	}
	mode, known := poolingNames[modes[0]]
	if !known {
		return fmt.Errorf("%s: pooling by %.40q is not supported; mean, cls, max and mean_sqrt_len_tokens are", name, modes[0])
	}
	if s.Width != nil && *s.Width != c.Width {
		return fmt.Errorf("%s: the word_embedding_dimension is %d, and the network's hidden_size %d", name, *s.Width, c.Width)
	}
	if s.Prompt != nil && !*s.Prompt && c.prefix != "" {
		return fmt.Errorf("%s: include_prompt false is not supported; set it to true, or take the prompt out of config_sentence_transformers.json", name)
	}
	c.pooling = mode
	return nil
}

func (c *folderConfig) readDense(f *folder, name, base string) error {
	d := &denseConfig{}
	found, err := f.readJSON(name, d)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("it has no %s, which modules.json names; copy that folder too", name)
	}
	width := c.Width
	for _, m := range c.after {
		if m.dense != nil {
			width = m.dense.Out
		}
	}
	switch {
	case d.In != width:
		return fmt.Errorf("%s: in_features is %d, and what comes before has %d numbers", name, d.In, width)
	case d.Out < 1 || d.Out > maxWidth:
		return fmt.Errorf("%s: out_features is %d; supported are 1 to %d", name, d.Out, maxWidth)
	case d.Input != "" && d.Input != "sentence_embedding":
		return fmt.Errorf("%s: a layer for %.40q is not supported; one for sentence_embedding is", name, d.Input)
	}
	switch kind := d.Activation[strings.LastIndexByte(d.Activation, '.')+1:]; kind {
	case "Identity":
	case "Tanh", "":
		d.tanh = true // the default of sentence-transformers
	default:
		return fmt.Errorf("%s: the activation_function %.60q is not supported; Identity and Tanh are", name, d.Activation)
	}
	c.after = append(c.after, moduleConfig{dense: d, path: base})
	return nil
}
