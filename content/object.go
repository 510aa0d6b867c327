package content

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

// fieldPattern is how Label Studio's interface finds fields in a value.
var fieldPattern = regexp.MustCompile(`\$[\w\[\].{}]+`)

// Unreadable says why no text can be read from an object, whatever a task's data hold,
// as the end of a sentence that starts with the tag; empty when one can.
func Unreadable(o labelconfig.Object) string {
	if why := unfetched(o); why != "" {
		return why
	}
	if !isField(o.Value) && !fieldPattern.MatchString(o.Value) {
		return constant(o)
	}
	return ""
}

// unfetched is Unreadable for what its data are not a text.
func unfetched(o labelconfig.Object) string {
	switch {
	case o.Type != labelconfig.TypeText && o.Type != labelconfig.TypeHyperText && o.Type != labelconfig.TypeParagraphs:
		return "is not text"
	case strings.EqualFold(o.ValueType, "url"):
		return "has valueType=\"url\", and hone does not fetch URLs: put the text itself into the task data"
	case o.Resolver != "":
		return "has a resolver, and hone does not fetch URLs: put the text itself into the task data"
	}
	return ""
}

func constant(o labelconfig.Object) string {
	return fmt.Sprintf("shows the same for every task, since its value=%q names no field such as \"$text\"", o.Value)
}

// Readable are the objects that a control names and that a text can be read from, in the
// order in which the control names them.
func Readable(c labelconfig.Control, objects []labelconfig.Object) []labelconfig.Object {
	var out []labelconfig.Object
	for _, name := range c.ToName {
		for _, o := range objects {
			if o.Name == name && Unreadable(o) == "" {
				out = append(out, o)
				break
			}
		}
	}
	return out
}

// isField reports whether fieldPattern matches all of a value. Every text is looked
// up by it, and the pattern takes as long as the looking up.
func isField(value string) bool {
	if len(value) < 2 || value[0] != '$' {
		return false
	}
	for _, c := range []byte(value[1:]) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_':
		case c == '[', c == ']', c == '.', c == '{', c == '}':
		default:
			return false
		}
	}
	return true
}

// Fields are the fields of a task's data that an object shows, as paths.
func Fields(o labelconfig.Object) []string {
	if isField(o.Value) {
		return []string{o.Value[1:]}
	}
	var out []string
	for _, m := range fieldPattern.FindAllString(o.Value, -1) {
		// The pattern takes a full stop after a field for a part of its path.
		if path := strings.TrimRight(m[1:], "."); path != "" {
			out = append(out, path)
		}
	}
	return out
}
