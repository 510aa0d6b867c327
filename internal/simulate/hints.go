package simulate

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

// withoutHints returns a label config without the hints of its labels, and how many it had.
// Everything else stays as it was written. A hint describes a label to annotators; somebody
// has to write it, so what a simulation shows must not come from it unasked.
func withoutHints(config string) (stripped string, hints int, err error) {
	d := xml.NewDecoder(strings.NewReader(config))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	var out strings.Builder
	copied := 0
	for {
		from := int(d.InputOffset())
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", 0, err
		}
		t, ok := tok.(xml.StartElement)
		if !ok || !strings.EqualFold(t.Name.Local, "Choice") && !strings.EqualFold(t.Name.Local, "Label") {
			continue
		}
		for _, at := range attributesNamed(config[from:d.InputOffset()], "hint") {
			out.WriteString(config[copied : from+at[0]])
			copied = from + at[1]
			hints++
		}
	}
	return out.String() + config[copied:], hints, nil
}

// attributesNamed returns where the attributes of a name are in a start tag, in any case, each
// with the white space before it, unless that space alone parts what stands around it:
// encoding/xml reads <Label hint=""value="x"> too. The tag is well-formed.
func attributesNamed(tag, name string) (places [][2]int) {
	const space = " \t\r\n"
	i := strings.IndexAny(tag, space)
	for i >= 0 && i < len(tag) {
		begin := i
		i += len(tag[i:]) - len(strings.TrimLeft(tag[i:], space))
		equals := strings.IndexByte(tag[i:], '=')
		if equals < 0 {
			return places
		}
		key := strings.TrimRight(tag[i:i+equals], space)
		i += equals + 1
		i += len(tag[i:]) - len(strings.TrimLeft(tag[i:], space))
		if i >= len(tag) {
			return places
		}
		end := strings.IndexByte(tag[i+1:], tag[i])
		if end < 0 {
			return places
		}
		i += end + 2
		if _, local, prefixed := strings.Cut(key, ":"); prefixed {
			key = local
		}
		if strings.EqualFold(key, name) {
			if i < len(tag) && !strings.ContainsRune(space+"/>", rune(tag[i])) {
				begin += len(tag[begin:]) - len(strings.TrimLeft(tag[begin:], space))
			}
			places = append(places, [2]int{begin, i})
		}
	}
	return places
}

// countHints returns how many labels have a hint.
func countHints(cfg *labelconfig.Config) (n int) {
	for _, c := range cfg.Controls {
		for _, l := range c.Labels {
			if l.Hint != "" {
				n++
			}
		}
	}
	return n
}
