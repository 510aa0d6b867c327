package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/hone-ml/hone/internal/secret"
)

// configField is one key: where it sits in Config and the variable that sets it.
type configField struct {
	key   string
	env   string
	index []int
	typ   reflect.Type
}

var (
	configFields   = fieldsOf(reflect.TypeFor[Config](), "", nil)
	byKey          = indexFields(configFields, func(f configField) string { return f.key })
	byEnv          = indexFields(configFields, func(f configField) string { return f.env })
	configSections = sectionsOf(configFields)
)

func fieldsOf(t reflect.Type, prefix string, at []int) []configField {
	var out []configField
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
		out = append(out, configField{key: key, env: env, index: idx, typ: sf.Type})
	}
	return out
}

func indexFields(fs []configField, name func(configField) string) map[string]configField {
	m := make(map[string]configField, len(fs))
	for _, f := range fs {
		m[name(f)] = f
	}
	return m
}

func sectionsOf(fs []configField) map[string]bool {
	m := map[string]bool{}
	for _, f := range fs {
		if section, _, ok := strings.Cut(f.key, "."); ok {
			m[section] = true
		}
	}
	return m
}

func fileKeys() []string {
	out := make([]string, len(configFields))
	for i, f := range configFields {
		out[i] = f.key
	}
	return out
}

func (f configField) list() bool { return f.typ == reflect.TypeFor[List]() }

func (f configField) secret() bool { return f.typ == reflect.TypeFor[secret.Secret]() }

// hiddenSecret is what a secret is shown as.
const hiddenSecret = "***"

// masked returns a value as a fault may print it.
func (f configField) masked(s string) string {
	if f.secret() && s != "" {
		return hiddenSecret
	}
	return s
}

// format prints the field of c as the file would have it, with secrets masked.
func (f configField) format(c *Config) string {
	return f.masked(fmt.Sprint(reflect.ValueOf(c).Elem().FieldByIndex(f.index).Interface()))
}

// parse reads text into the field of c. The same text means the same whether it came from a
// flag, the environment or the file. A text that cannot be read leaves c as it was; parse
// then returns the problem and the fix.
func (f configField) parse(c *Config, text string) (problem, fix string) {
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
			return "not a whole number", "write a number such as " + f.format(c)
		}
		v.SetInt(int64(n))
	case float64:
		x, err := strconv.ParseFloat(trimmed, 64)
		if err != nil {
			return "not a number", "write a number such as " + f.format(c)
		}
		v.SetFloat(x)
	case time.Duration:
		d, err := time.ParseDuration(trimmed)
		if err != nil {
			return "not a duration", fmt.Sprintf("write a number with its unit (ms, s, m, h), such as %s", f.format(c))
		}
		v.SetInt(int64(d))
	case Size:
		n, err := ParseSize(trimmed)
		if err != nil {
			return "not a size", fmt.Sprintf("write bytes with a unit (KiB, MiB, GiB), such as %s", f.format(c))
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
