package labelstudio_test

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/hone-ml/hone/labelstudio"
)

const config = `<View>
  <Text name="review" value="$text"/>
  <Choices name="mood" toName="review"><Choice value="Positive" alias="pos"/><Choice value="Negative" alias="neg"/></Choices>
</View>`

func ExampleParseLabelConfig() {
	c, err := labelstudio.ParseLabelConfig(config)
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
	c, err := labelstudio.ParseLabelConfig(`<View><Image name="photo" value="$url"/><RectangleLabels name="box" toName="photo"><Label value="Car"/></RectangleLabels></View>`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Check())
	// Output:
	// the label config has nothing hone can learn: <RectangleLabels name="box"> is a kind of tag hone does not learn yet; hone learns <Choices>, <Taxonomy>, <Rating>, <Number>, <Pairwise>, <Labels>, <HyperTextLabels> and <ParagraphLabels> over <Text>, <HyperText> or <Paragraphs>
}

func ExampleControl_DecodeChoices() {
	c, err := labelstudio.ParseLabelConfig(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	mood, _ := c.Control("mood")
	// Results carry aliases; hone speaks of labels by what annotators read.
	region := mood.EncodeChoices("r1", []string{"Negative"}, 0.9)
	fmt.Println(string(region.Value))
	result, err := json.Marshal([]labelstudio.Region{region})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(mood.DecodeChoices(result))
	// Output:
	// {"choices":["neg"]}
	// [Negative] true <nil>
}

func ExampleDecodeHook() {
	body := `{"action":"ANNOTATION_CREATED","project":{"id":5},"task":{"id":7,"data":{"text":"x"}},"annotation":{"id":9,"task":7,"result":[]}}`
	h, err := labelstudio.DecodeHook([]byte(body), time.Now())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(h.Action, h.Project, len(h.Changed.Tasks), h.Changed.Annotations[0].ID)
	_, err = labelstudio.DecodeHook([]byte(`{"action":"TASKS_DELETED","project":{"id":5},"tasks":[{}]}`), time.Now())
	fmt.Println(err)
	// Output:
	// ANNOTATION_CREATED 5 1 9
	// the body's field tasks[0].id is missing or not a positive number
}
