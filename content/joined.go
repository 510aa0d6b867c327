package content

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

// Joined is the text of several objects, in their order and with line feeds between.
// Objects without a text are left out; if none has one, the error has the reason of each.
func Joined(objects []labelconfig.Object, data json.RawMessage) (string, error) {
	var texts []string
	var errs []error
	for _, o := range objects {
		t, err := Text(o, data)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		texts = append(texts, t)
	}
	if len(texts) == 0 {
		return "", errors.Join(errs...)
	}
	return strings.Join(texts, "\n"), nil
}
