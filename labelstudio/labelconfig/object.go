package labelconfig

import (
	"fmt"
	"regexp"
	"strings"
)

// The object tags whose text hone reads.
const (
	TypeText       = "Text"
	TypeHyperText  = "HyperText"
	TypeParagraphs = "Paragraphs"
)

// Object is an object tag: a piece of the task's data that annotators look at.
type Object struct {
	// Name is unique in the config; results carry it as to_name.
	Name string
	// Type is the tag, such as "Text".
	Type string
	// Value says which task data is shown: "$field", or a text with fields in it.
	Value string
	// Attrs are all attributes as written.
	Attrs map[string]string
	// Unreadable says why hone cannot get text from it, as the end of a sentence
	// that starts with the tag; empty when it can.
	Unreadable string

	nameKey, textKey string // keys of a paragraph's author and text
	encoding         string
}

// fieldPattern is how Label Studio's interface finds fields in a value.
var fieldPattern = regexp.MustCompile(`\$[\w\[\].{}]+`)

func (o Object) judge(attrs map[string]string) string {
	switch {
	case o.Type != TypeText && o.Type != TypeHyperText && o.Type != TypeParagraphs:
		return "is not text"
	case strings.EqualFold(attrs["valuetype"], "url"):
		return "has valueType=\"url\", and hone does not fetch URLs: put the text itself into the task data"
	case attrs["resolver"] != "":
		return "has a resolver, and hone does not fetch URLs: put the text itself into the task data"
	case !fieldPattern.MatchString(o.Value):
		return fmt.Sprintf("shows the same for every task, since its value=%q names no field such as \"$text\"", o.Value)
	}
	return ""
}

// Key changes when the same task data may give another text.
func (o Object) Key() string {
	return HashLists([]string{o.Name, o.Type, o.Value, o.nameKey, o.textKey, o.encoding})
}
