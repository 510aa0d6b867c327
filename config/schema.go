package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/hone-ml/hone/internal/secret"
)

// field is one key: where it sits in Config and the variable that sets it.
type field struct {
	key   string
	env   string
	index []int
	typ   reflect.Type
}

var (
	fields   = fieldsOf(reflect.TypeFor[Config](), "", nil)
	byKey    = index(fields, func(f field) string { return f.key })
	byEnv    = index(fields, func(f field) string { return f.env })
	sections = sectionsOf(fields)
)

func fieldsOf(t reflect.Type, prefix string, at []int) []field {
	var out []field
	for i := range t.NumField() {
		sf := t.Field(i)
		tag, ok := sf.Tag.Lookup("koanf")
		if !ok {
			continue
		}
		idx := append(append([]int(nil), at...), i)
		key := prefix + tag
		if sf.Type.Kind() == reflect.Struct {
			out = append(out, fieldsOf(sf.Type, key+".", idx)...)
			continue
		}
		env := "HONE_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
		out = append(out, field{key: key, env: env, index: idx, typ: sf.Type})
	}
	return out
}

func index(fs []field, name func(field) string) map[string]field {
	m := make(map[string]field, len(fs))
	for _, f := range fs {
		m[name(f)] = f
	}
	return m
}

func sectionsOf(fs []field) map[string]bool {
	m := map[string]bool{}
	for _, f := range fs {
		if section, _, ok := strings.Cut(f.key, "."); ok {
			m[section] = true
		}
	}
	return m
}

func keys() []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = f.key
	}
	return out
}

func (f field) list() bool { return f.typ == reflect.TypeFor[List]() }

func (f field) secret() bool { return f.typ == reflect.TypeFor[secret.Secret]() }

// mask is what a secret is shown as.
const mask = "***"

// show is a value as a fault may print it.
func (f field) show(s string) string {
	if f.secret() && s != "" {
		return mask
	}
	return s
}

// get prints the field of c as the file would have it, secrets masked.
func (f field) get(c *Config) string {
	return f.show(fmt.Sprint(reflect.ValueOf(c).Elem().FieldByIndex(f.index).Interface()))
}

// set reads text into the field of c. The same text means the same whether it
// came from a flag, the environment or the file. A text that cannot be read
// leaves c as it was and returns the problem and the fix.
func (f field) set(c *Config, text string) (problem, fix string) {
	v := reflect.ValueOf(c).Elem().FieldByIndex(f.index)
	trimmed := strings.TrimSpace(text)
	switch v.Interface().(type) {
	case string:
		v.SetString(trimmed)
	case secret.Secret:
		// Spaces may belong to a password; the end of a line never does.
		v.SetString(strings.TrimRight(text, "\r\n"))
	case List:
		v.SetString(string(ParseList(text)))
	case bool:
		b, ok := parseBool(trimmed)
		if !ok {
			return "neither true nor false", "write true or false"
		}
		v.SetBool(b)
	case int:
		n, err := strconv.Atoi(trimmed)
		if err != nil {
			return "not a whole number", "write a number such as " + f.get(c)
		}
		v.SetInt(int64(n))
	case float64:
		x, err := strconv.ParseFloat(trimmed, 64)
		if err != nil {
			return "not a number", "write a number such as " + f.get(c)
		}
		v.SetFloat(x)
	case time.Duration:
		d, err := time.ParseDuration(trimmed)
		if err != nil {
			return "not a duration", fmt.Sprintf("write a number with its unit (ms, s, m, h), such as %s", f.get(c))
		}
		v.SetInt(int64(d))
	case Size:
		n, err := ParseSize(trimmed)
		if err != nil {
			return "not a size", fmt.Sprintf("write bytes with a unit (KiB, MiB, GiB), such as %s", f.get(c))
		}
		v.SetInt(int64(n))
	default:
		return fmt.Sprintf("hone cannot read values of type %s", f.typ), "report this as a bug"
	}
	return "", ""
}

func parseBool(s string) (value, ok bool) {
	switch strings.ToLower(s) {
	case "true", "yes", "on", "1":
		return true, true
	case "false", "no", "off", "0":
		return false, true
	}
	return false, false
}
