package labelconfig

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// configParser walks the tags of a label config. Label Studio's interface reads
// tags and attributes in any case, so this does.
type configParser struct {
	cfg   Config
	stack []openTag
	names map[string]string // name -> tag, to find doubles
	any   bool
	// repeaters counts the <Repeater> tags that are open.
	repeaters int
}

type openTag struct {
	control  int      // index of the control the tag opens, or -1
	choice   []string // path of the choice the tag opens, or nil
	label    int      // index of that choice in its control's labels, or -1
	skip     bool     // inside a choice whose children Label Studio ignores
	repeater bool
	when     []Condition // of it and the tags around it
}

func (p *configParser) open(t xml.StartElement) error {
	p.any = true
	if len(p.stack) >= maxConfigDepth {
		return fmt.Errorf("the label config nests tags more than %d deep", maxConfigDepth)
	}
	tag := openTag{control: -1, label: -1}
	attrs := lowerAttrs(t)
	kind := t.Name.Local
	if n := len(p.stack); n > 0 {
		tag.when = p.stack[n-1].when
	}
	if when, ok := conditionOf(kind, attrs); ok {
		tag.when = append(slices.Clip(tag.when), when)
	}
	switch {
	case strings.EqualFold(kind, "Repeater"):
		tag.repeater = true
		p.repeaters++
	case strings.EqualFold(kind, "Filter"):
		// Has name and toName but asks nothing.
	case strings.EqualFold(kind, "Choice"), strings.EqualFold(kind, "Label"):
		p.label(attrs, &tag)
	case attrs["name"] != "" && attrs["toname"] != "":
		if err := p.name(attrs["name"], kind); err != nil {
			return err
		}
		c := newControl(kind, t, attrs)
		c.Repeated = c.Repeated || p.repeaters > 0
		c.Conditions, c.Conditional = tag.when, len(tag.when) > 0
		p.cfg.Controls = append(p.cfg.Controls, c)
		tag.control = len(p.cfg.Controls) - 1
	case attrs["name"] != "" && (attrs["value"] != "" || attrs["valuelist"] != ""):
		if err := p.name(attrs["name"], kind); err != nil {
			return err
		}
		p.cfg.Objects = append(p.cfg.Objects, newObject(kind, t, attrs))
	}
	p.stack = append(p.stack, tag)
	return nil
}

func (p *configParser) close() {
	if n := len(p.stack) - 1; n >= 0 {
		if p.stack[n].repeater {
			p.repeaters--
		}
		p.stack = p.stack[:n]
	}
}

func (p *configParser) name(name, kind string) error {
	if first, ok := p.names[name]; ok {
		return fmt.Errorf("the label config names two tags %q, a <%s> and a <%s>: give each its own name", name, first, kind)
	}
	p.names[name] = kind
	return nil
}

// label adds a <Choice> or <Label> to the control that encloses it.
func (p *configParser) label(attrs map[string]string, tag *openTag) {
	at, parent := -1, (*openTag)(nil)
	for i := len(p.stack) - 1; i >= 0 && at < 0; i-- {
		if parent == nil && p.stack[i].choice != nil {
			parent = &p.stack[i]
		}
		at = p.stack[i].control
	}
	if at < 0 {
		return
	}
	c := &p.cfg.Controls[at]
	if c.Type == TypeRating || c.Type == TypeNumber || c.Type == TypePairwise {
		return // its labels are no tags
	}
	value, alias := attrs["value"], attrs["alias"]
	result := alias
	if result == "" {
		result = value
	}
	tag.choice = []string{result}
	if parent != nil {
		if !c.Nested || parent.skip {
			// Without allowNested the interface shows no choice inside a choice.
			tag.skip = true
			return
		}
		tag.choice = append(slices.Clone(parent.choice), result)
		// A choice with children is ticked by ticking all of them: not a label. In a
		// taxonomy it can be chosen by itself, unless only leaves can.
		if parent.label >= 0 && (c.Type != TypeTaxonomy || c.leavesOnly) {
			c.Labels[parent.label].Path = nil
		}
	}
	if strings.Contains(value, "$") {
		c.Dynamic = true
	}
	if result == "" {
		return
	}
	c.Labels = append(c.Labels, Label{Value: value, Alias: alias, Hint: attrs["hint"], Path: tag.choice})
	tag.label = len(c.Labels) - 1
}

func (p *configParser) finish() *Config {
	for i := range p.cfg.Controls {
		p.cfg.Controls[i].nameLabels()
	}
	return &p.cfg
}

// nameLabels drops what is no label or a double, and names the rest.
func (c *Control) nameLabels() {
	paths, values := map[string]bool{}, map[string]int{}
	kept := c.Labels[:0]
	for _, l := range c.Labels {
		id := PathID(l.Path)
		if l.Path == nil || paths[id] {
			continue
		}
		paths[id] = true
		values[l.Value]++
		kept = append(kept, l)
	}
	c.Labels = kept
	used := map[string]bool{}
	for i := range c.Labels {
		l := &c.Labels[i]
		l.Name = l.Value
		if l.Name == "" || values[l.Value] > 1 {
			l.Name = strings.Join(l.Path, " / ")
		}
		// A made-up name may meet a real one; paths are unique, so this ends.
		for used[l.Name] {
			l.Name += " / " + strings.Join(l.Path, " / ")
		}
		used[l.Name] = true
	}
}

func newControl(kind string, t xml.StartElement, attrs map[string]string) Control {
	c := Control{Name: attrs["name"], Type: canonicalType(kind), Attrs: rawAttrs(t), Repeated: strings.Contains(attrs["name"], "{{")}
	for name := range strings.SplitSeq(attrs["toname"], ",") {
		if name = strings.TrimSpace(name); name != "" {
			c.ToName = append(c.ToName, name)
		}
	}
	c.Multiple = strings.EqualFold(attrs["choice"], "multiple")
	c.Required = isTrue(attrs["required"])
	c.Nested = isTrue(attrs["allownested"])
	if c.Type == TypeTaxonomy {
		c.Nested, c.leavesOnly = true, isTrue(attrs["leafsonly"])
		c.MaxUsages = usages(attrs["maxusages"])
		c.Multiple = c.MaxUsages != 1
	}
	if c.Type == TypeNumber {
		c.Numbers = Range{Min: ParseNumber(attrs["min"]), Max: ParseNumber(attrs["max"]), Step: ParseNumber(attrs["step"])}
	}
	// A taxonomy may also be what regions of a text are labelled with.
	c.PerRegion = isTrue(attrs["perregion"]) || isTrue(attrs["peritem"]) || c.Type == TypeTaxonomy && isTrue(attrs["labeling"])
	c.Dynamic = strings.Contains(attrs["value"], "$") || attrs["apiurl"] != ""
	switch c.Type {
	case TypeRating:
		c.Labels = ratings(attrs["maxrating"])
	case TypePairwise:
		c.Labels = []Label{{Value: "left", Path: []string{"left"}}, {Value: "right", Path: []string{"right"}}}
	}
	return c
}

func newObject(kind string, t xml.StartElement, attrs map[string]string) Object {
	o := Object{
		Name: attrs["name"], Type: canonicalType(kind), Value: attrs["value"], Attrs: rawAttrs(t),
		NameKey: attrs["namekey"], TextKey: attrs["textkey"], Encoding: strings.ToLower(attrs["encoding"]),
		ValueType: attrs["valuetype"], Resolver: attrs["resolver"],
	}
	if o.Value == "" {
		o.Value = attrs["valuelist"]
	}
	if o.NameKey == "" {
		o.NameKey = "author"
	}
	if o.TextKey == "" {
		o.TextKey = "text"
	}
	return o
}

// canonicalTypes are the tags that have a constant.
var canonicalTypes = []string{
	TypeChoices, TypeTaxonomy, TypeRating, TypeNumber, TypePairwise, TypeLabels, TypeHyperTextLabels, TypeParagraphLabels,
	TypeText, TypeHyperText, TypeParagraphs,
}

// canonicalType spells them as Label Studio's documentation does.
func canonicalType(kind string) string {
	for _, known := range canonicalTypes {
		if strings.EqualFold(kind, known) {
			return known
		}
	}
	return kind
}

func lowerAttrs(t xml.StartElement) map[string]string {
	m := make(map[string]string, len(t.Attr))
	for _, a := range t.Attr {
		m[strings.ToLower(a.Name.Local)] = a.Value
	}
	return m
}

func rawAttrs(t xml.StartElement) map[string]string {
	m := make(map[string]string, len(t.Attr))
	for _, a := range t.Attr {
		m[a.Name.Local] = a.Value
	}
	return m
}

func isTrue(s string) bool { return strings.EqualFold(s, "true") }

// PathID makes a map key of a path; equal keys are equal paths, since XML allows no NUL
// in a choice.
func PathID(path []string) string { return strings.Join(path, "\x00") }

// usages reads maxUsages: a number above 0, else no limit.
func usages(s string) int {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || n < 0 {
		return 0
	}
	return n
}
