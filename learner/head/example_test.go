package head_test

import (
	"fmt"

	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/learner/head"
)

func ExampleDecisions_Check() {
	c, err := labelconfig.Parse(`<View><Image name="photo" value="$url"/><RectangleLabels name="box" toName="photo"><Label value="Car"/></RectangleLabels></View>`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(head.Decide(c).Check())
	// Output:
	// the label config has nothing hone can learn: <RectangleLabels name="box"> is a kind of tag hone does not learn yet; hone learns <Choices>, <Taxonomy>, <Rating>, <Number>, <Pairwise>, <Labels>, <HyperTextLabels> and <ParagraphLabels> over <Text>, <HyperText> or <Paragraphs>
}
