package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds the configuration file; a real one has a few kilobytes.
const maxFile = 1 << 20

// yamlLayer reads a file into a layer. Scalars keep the text they were written
// with, so that a token made of digits stays what it is and a duration without
// a unit is noticed. It is a koanf parser; what is wrong goes to faults.
type yamlLayer struct {
	name   string
	lines  map[string]int
	faults Faults
}

// Unmarshal returns sections of texts. The error is only about the syntax.
func (l *yamlLayer) Unmarshal(b []byte) (map[string]any, error) {
	l.lines = map[string]int{}
	if len(b) > maxFile {
		return nil, errors.New("is larger than 1 MiB")
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	var doc yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return map[string]any{}, nil
	case err != nil:
		return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("holds more than one document (---)")
	}
	root := doc.Content[0]
	if isNull(root) {
		return map[string]any{}, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, errors.New("is not a list of keys and values")
	}
	return l.walk(root, ""), nil
}

// Marshal completes koanf's interface; hone never writes its configuration.
func (*yamlLayer) Marshal(map[string]any) ([]byte, error) {
	return nil, errors.New("not supported")
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func (l *yamlLayer) walk(n *yaml.Node, prefix string) map[string]any {
	out := map[string]any{}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		key := prefix + k.Value
		if k.Kind != yaml.ScalarNode {
			l.fault(k, prefix+"?", "a key must be a word", "see config.example.yaml")
			continue
		}
		if line, dup := seen[k.Value]; dup {
			l.fault(k, key, fmt.Sprintf("set twice, first in line %d", line), "keep one")
			continue
		}
		seen[k.Value] = k.Line
		_, known := byKey[key]
		known = known && !strings.Contains(k.Value, ".")
		section := prefix == "" && configSections[k.Value]
		switch {
		case !known && !section:
			l.fault(k, key, "hone has no such key", suggestKey(key))
		case v.Kind == yaml.AliasNode:
			l.fault(v, key, "anchors and aliases are not supported", "write the value out")
		case isNull(v):
			// A key with nothing after it, or a section whose keys are all
			// commented out: as if it were not there.
		case section && v.Kind != yaml.MappingNode:
			l.fault(v, key, "is a section", "write its keys below it, indented")
		case section:
			out[k.Value] = l.walk(v, key+".")
		case v.Kind == yaml.SequenceNode && byKey[key].list():
			out[k.Value] = l.join(v, key)
			l.lines[key] = v.Line
		case v.Kind != yaml.ScalarNode:
			l.fault(v, key, "takes one value", "write it on one line after the colon")
		default:
			out[k.Value] = v.Value
			l.lines[key] = v.Line
		}
	}
	return out
}

// join writes a sequence as the one text that other layers give.
func (l *yamlLayer) join(n *yaml.Node, key string) string {
	parts := make([]string, 0, len(n.Content))
	for _, v := range n.Content {
		if v.Kind != yaml.ScalarNode {
			l.fault(v, key, "takes a list of plain values", "write each on a line of its own after a dash")
			continue
		}
		parts = append(parts, v.Value)
	}
	return strings.Join(parts, ",")
}

func (l *yamlLayer) fault(n *yaml.Node, key, problem, fix string) {
	l.faults = append(l.faults, Fault{
		Key: key, Source: fmt.Sprintf("%s:%d", l.name, n.Line), Problem: problem, Fix: fix,
	})
}

// suggestKey names the key that was probably meant: the same name in another
// section, or one spelled nearly alike.
func suggestKey(key string) string {
	last := key[strings.LastIndex(key, ".")+1:]
	var same []string
	for _, k := range fileKeys() {
		if k == last || strings.HasSuffix(k, "."+last) {
			same = append(same, k)
		}
	}
	if len(same) > 0 {
		return fmt.Sprintf("did you mean %s (a key inside its section)?", strings.Join(same, " or "))
	}
	names := fileKeys()
	if !strings.Contains(key, ".") {
		names = append(names, slices.Sorted(maps.Keys(configSections))...)
	}
	if k := nearestName(key, names); k != "" {
		return fmt.Sprintf("did you mean %s?", k)
	}
	return "config.example.yaml lists every key"
}
