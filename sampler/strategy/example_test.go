package strategy_test

import (
	"fmt"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/sampler/strategy"
)

func ExampleNamed() {
	margin, err := strategy.Named("margin")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range [][]float64{{0.9, 0.1, 0}, {0.45, 0.4, 0.15}} {
		score, _ := margin.Score(event.Estimate{Classes: &event.Distribution{Labels: []string{"bank", "travel", "work"}, P: p, Exclusive: true}})
		fmt.Printf("%v scores %.2f\n", p, score)
	}
	_, err = strategy.Named("best")
	fmt.Println(err)
	// Output:
	// [0.9 0.1 0] scores 0.80
	// [0.45 0.4 0.15] scores 0.05
	// unknown sampling strategy "best"; use one of margin, least_confidence, entropy, coverage, margin_kmeans, badge, typiclust, class_balanced, random
}
