package labelconfig_test

import (
	"encoding/json"
	"fmt"

	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

const config = `<View>
  <Text name="review" value="$text"/>
  <Choices name="mood" toName="review"><Choice value="Positive" alias="pos"/><Choice value="Negative" alias="neg"/></Choices>
</View>`

func ExampleParse() {
	c, err := labelconfig.Parse(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, control := range c.Learnable() {
		fmt.Println(control.Name, control.LabelNames())
		for _, object := range c.Targets(control) {
			text, err := object.Text(json.RawMessage(`{"text":"What a day"}`))
			fmt.Println(text, err)
		}
	}
	// Output:
	// mood [Positive Negative]
	// What a day <nil>
}

func ExampleConfig_Check() {
	c, err := labelconfig.Parse(`<View><Image name="photo" value="$url"/><RectangleLabels name="box" toName="photo"><Label value="Car"/></RectangleLabels></View>`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Check())
	// Output:
	// the label config has nothing hone can learn: <RectangleLabels name="box"> is a kind of tag hone does not learn yet; hone learns <Choices>, <Taxonomy>, <Rating>, <Number>, <Pairwise>, <Labels>, <HyperTextLabels> and <ParagraphLabels> over <Text>, <HyperText> or <Paragraphs>
}
