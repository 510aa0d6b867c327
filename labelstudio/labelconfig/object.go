package labelconfig

// The types of objects that have a constant.
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
	// NameKey and TextKey are the keys of a paragraph's author and text.
	NameKey, TextKey string
	// Encoding, in lower case, says how the field is encoded; empty: it is plain text.
	Encoding string
	// ValueType is "url" where the field holds an address, and Resolver says how to load
	// what is shown; mostly empty.
	ValueType, Resolver string
}

// Key changes when the same task data may give another text.
func (o Object) Key() string {
	return HashLists([]string{o.Name, o.Type, o.Value, o.NameKey, o.TextKey, o.Encoding})
}
