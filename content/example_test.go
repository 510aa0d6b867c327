package content_test

import (
	"encoding/json"
	"fmt"

	"github.com/hone-ml/hone/content"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

func ExampleText() {
	cfg, err := labelconfig.Parse(`<View><Text name="review" value="$text"/><Image name="photo" value="$url"/></View>`)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, object := range cfg.Objects {
		fmt.Println(content.Text(object, json.RawMessage(`{"text":"What a day"}`)))
	}
	// Output:
	// What a day <nil>
	//  <Image name="photo"> is not text
}
