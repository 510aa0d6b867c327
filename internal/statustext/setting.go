package statustext

import (
	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/internal/cut"
)

// maxShownSetting is how many characters of a value are shown.
const maxShownSetting = 200

// Setting is key, value and default.
func Setting(s api.Setting) string {
	value := s.Key + " = " + orNothing(cut.Ellipsis(s.Value, maxShownSetting))
	if !s.Set {
		return value + "  (default)"
	}
	return value + "  (set; default " + orNothing(s.Default) + ")"
}

func orNothing(s string) string {
	if s == "" {
		return "(empty)"
	}
	return s
}
