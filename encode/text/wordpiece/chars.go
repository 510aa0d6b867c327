package wordpiece

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

//go:embed chars.txt
var charsText string

// Classes of characters: what normalisation does with one. A value v from charMapped on
// stands for charTable.maps[v-charMapped].
const (
	charStays = iota
	charDropped
	charSpace
	charAlone
	charMapped
)

const (
	pageBits  = 8
	pageSize  = 1 << pageBits
	pageCount = (utf8.MaxRune + 1) >> pageBits

	hangulFirst = 0xac00
	hangulLast  = 0xd7a3
	hangulLead  = 0x1100
	hangulVowel = 0x1161
	hangulTail  = 0x11a7
	hangulTails = 28
	hangulBlock = 21 * hangulTails
)

// charTable holds the class of each character, in two levels, since most pages of 256
// characters are alike.
type charTable struct {
	page  [pageCount]uint8
	table [][pageSize]uint16
	maps  []charMapping
}

type charMapping struct {
	text  string
	chars int
	alone bool // a word of its own
}

var loadChars = sync.OnceValues(func() (*charTable, error) { return parseChars(charsText) })

func (c *charTable) classOf(r rune) uint16 { return c.table[c.page[r>>pageBits]][r&(pageSize-1)] }

// parseChars reads the format that the head of chars.txt describes.
func parseChars(text string) (*charTable, error) {
	flat := make([]uint16, utf8.MaxRune+1)
	c := &charTable{}
	known := map[charMapping]uint16{}
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		if err := c.parseLine(line, flat, known); err != nil {
			return nil, fmt.Errorf("chars.txt, line %d: %w", number, err)
		}
	}
	return c, c.foldPages(flat)
}

func (c *charTable) parseLine(line string, flat []uint16, known map[charMapping]uint16) error {
	span, action, _ := strings.Cut(line, " ")
	from, to, ok := strings.Cut(span, "-")
	if !ok {
		to = from
	}
	first, err := parseRune(from)
	if err != nil {
		return err
	}
	last, err := parseRune(to)
	if err != nil {
		return err
	}
	for r := first; r <= last; r++ {
		switch action {
		case "drop":
			flat[r] = charDropped
		case "space":
			flat[r] = charSpace
		case "alone":
			flat[r] = charAlone
		default:
			m, err := parseMapping(r, action)
			if err != nil {
				return err
			}
			if _, ok := known[m]; !ok {
				known[m] = uint16(charMapped + len(c.maps))
				c.maps = append(c.maps, m)
			}
			flat[r] = known[m]
		}
	}
	return nil
}

func parseMapping(r rune, action string) (charMapping, error) {
	if action == "" {
		return charMapping{}, fmt.Errorf("nothing is said of %04X", r)
	}
	switch rest := strings.TrimPrefix(action[1:], " "); action[0] {
	case '+', '-':
		offset, err := strconv.Atoi(action)
		if err != nil {
			return charMapping{}, err
		}
		return charMapping{text: string(r + rune(offset)), chars: 1}, nil
	case '>', '=':
		var text []rune
		for field := range strings.FieldsSeq(rest) {
			r, err := parseRune(field)
			if err != nil {
				return charMapping{}, err
			}
			text = append(text, r)
		}
		return charMapping{text: string(text), chars: len(text), alone: action[0] == '='}, nil
	}
	return charMapping{}, fmt.Errorf("unknown action %q", action)
}

func parseRune(hex string) (rune, error) {
	v, err := strconv.ParseUint(hex, 16, 32)
	if err != nil || v > utf8.MaxRune {
		return 0, fmt.Errorf("%q is no character", hex)
	}
	return rune(v), nil
}

// foldPages stores each distinct page once.
func (c *charTable) foldPages(flat []uint16) error {
	seen := map[[pageSize]uint16]uint8{}
	for p := range pageCount {
		page := [pageSize]uint16(flat[p*pageSize:])
		at, ok := seen[page]
		if !ok {
			if len(c.table) > 0xff {
				return fmt.Errorf("chars.txt: more than %d distinct pages", len(c.table))
			}
			at = uint8(len(c.table))
			seen[page] = at
			c.table = append(c.table, page)
		}
		c.page[p] = at
	}
	return nil
}

// decomposeHangul returns the two or three letters of a Hangul syllable.
func decomposeHangul(r rune) (letters [3]rune, n int) {
	s := r - hangulFirst
	letters = [3]rune{hangulLead + s/hangulBlock, hangulVowel + s%hangulBlock/hangulTails, hangulTail + s%hangulTails}
	if letters[2] == hangulTail {
		return letters, 2
	}
	return letters, 3
}
