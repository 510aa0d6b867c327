package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// maxAround is how many special tokens may be on each side of a text.
const maxAround = 8

// specialNames are those of the tokens before and after a text where no post-processor says
// them, BERT's and XLM-RoBERTa's.
var specialNames = [][2]string{{"[CLS]", "[SEP]"}, {"<s>", "</s>"}}

// Around returns the ids of the special tokens that a model expects before and after a text.
// The caller must not change them. The error says what of the post-processor is not supported.
func (t *Tokenizer) Around() (before, after []int32, err error) {
	return t.before, t.after, t.aroundProblem
}

func (t *Tokenizer) readAround(p *component, pieces map[string]int32, extra []addedToken) error {
	found, err := t.addAround(p, 0)
	if err != nil || found {
		if err != nil {
			err = fmt.Errorf("post_processor: %w", err)
		}
		return err
	}
	id := func(name string) (int32, bool) {
		if id, ok := pieces[name]; ok {
			return id, true
		}
		for _, a := range extra {
			if a.Content == name {
				return int32(a.ID), true
			}
		}
		return 0, false
	}
	for _, names := range specialNames {
		first, ok := id(names[0])
		last, both := id(names[1])
		if ok && both {
			t.before, t.after = []int32{first}, []int32{last}
			return nil
		}
	}
	return errors.New("it says no special tokens around a text, and has neither [CLS] and [SEP] nor <s> and </s>")
}

// addAround reads a post-processor. It reports false for one that adds nothing around a text.
func (t *Tokenizer) addAround(p *component, depth int) (bool, error) {
	if p == nil {
		return false, nil
	}
	switch p.Type {
	case "Sequence":
		var s struct {
			All []component `json:"processors"`
		}
		if err := p.decode(&s); err != nil {
			return false, err
		}
		if depth >= maxDepth {
			return false, errTooDeep
		}
		found := false
		for i := range s.All {
			one, err := t.addAround(&s.All[i], depth+1)
			if err != nil {
				return false, err
			}
			if one && found {
				return false, errors.New("several that add tokens are not supported")
			}
			found = found || one
		}
		return found, nil
	case "ByteLevel", "":
		return false, nil
	case "BertProcessing", "RobertaProcessing":
		var s struct {
			First [2]json.RawMessage `json:"cls"`
			Last  [2]json.RawMessage `json:"sep"`
		}
		if err := p.decode(&s); err != nil {
			return false, err
		}
		t.before, t.after = make([]int32, 1), make([]int32, 1)
		if err := errors.Join(json.Unmarshal(s.First[1], &t.before[0]), json.Unmarshal(s.Last[1], &t.after[0])); err != nil {
			return false, fmt.Errorf("%s: %w", p.Type, err)
		}
	case "TemplateProcessing":
		if err := t.readTemplate(p); err != nil {
			return false, err
		}
	default:
		return false, fmt.Errorf("the type %q is not supported", p.Type)
	}
	for _, side := range [][]int32{t.before, t.after} {
		if len(side) > maxAround {
			return false, fmt.Errorf("%d tokens on one side of a text; %d are supported", len(side), maxAround)
		}
		for _, id := range side {
			if id < 0 || int(id) >= t.size {
				return false, fmt.Errorf("the special token %d is none of the %d", id, t.size)
			}
		}
	}
	return true, nil
}

// readTemplate reads what stands around the sequence A.
func (t *Tokenizer) readTemplate(p *component) error {
	type place struct {
		Special *struct {
			ID string `json:"id"`
		} `json:"SpecialToken"`
		Sequence *struct {
			ID string `json:"id"`
		} `json:"Sequence"`
	}
	var s struct {
		Single []place `json:"single"`
		Tokens map[string]struct {
			IDs []int32 `json:"ids"`
		} `json:"special_tokens"`
	}
	if err := p.decode(&s); err != nil {
		return err
	}
	side, texts := &t.before, 0
	for _, at := range s.Single {
		switch {
		case at.Sequence != nil:
			side = &t.after
			texts++
		case at.Special != nil:
			token, ok := s.Tokens[at.Special.ID]
			if !ok {
				return fmt.Errorf("the template names %q, of which it has no id", strings.ToValidUTF8(at.Special.ID, "?"))
			}
			*side = append(*side, token.IDs...)
		}
	}
	if texts != 1 {
		return fmt.Errorf("the template has the text %d times", texts)
	}
	return nil
}
