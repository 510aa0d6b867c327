package finetune

import "math"

// contrast computes the supervised contrastive loss of texts' vectors (Khosla et al. 2020,
// "Supervised Contrastive Learning", the form with the sum outside of the logarithm). A pair
// of equal texts counts neither as similar nor as different: nothing can move it apart, and
// at similarity 1 it would outweigh all other pairs, after which all vectors become one.
type contrast struct {
	temperature  float64
	similarities []float64 // texts by texts, and then their gradients
	gradient     []float64 // texts by the vectors' length
}

func newContrast(texts, width int, temperature float64) *contrast {
	return &contrast{temperature, make([]float64, texts*texts), make([]float64, texts*width)}
}

// labelledText is the class of a text of a batch, and a number that equal texts share.
type labelledText struct{ class, text int }

// similar reports whether two texts are of one class, and counted whether their pair counts.
func (a labelledText) similar(b labelledText) bool { return a.class == b.class && a.text != b.text }
func (a labelledText) counted(b labelledText) bool { return a.text != b.text }

// loss returns the loss of vectors of length 1, each width numbers, and leaves its gradient
// in c.gradient. A text that is alone in its class counts only as another's negative.
func (c *contrast) loss(vectors []float32, width int, texts []labelledText) float64 {
	n := len(texts)
	for i := range n {
		a := vectors[i*width:][:width]
		for j := range i {
			var sum float64
			for k, v := range vectors[j*width:][:width] {
				sum += float64(v) * float64(a[k])
			}
			c.similarities[i*n+j], c.similarities[j*n+i] = sum/c.temperature, sum/c.temperature
		}
	}
	anchors := 0
	for i := range n {
		if partners(texts, i) > 0 {
			anchors++
		}
	}
	total := 0.0
	for i := range n {
		total += c.anchor(i, texts, float64(max(anchors, 1)))
	}
	clear(c.gradient)
	for i := range n {
		for j := range n {
			g := (c.similarities[i*n+j] + c.similarities[j*n+i]) / c.temperature
			to := c.gradient[i*width:][:width]
			for k, v := range vectors[j*width:][:width] {
				to[k] += g * float64(v)
			}
		}
	}
	return total
}

// partners returns how many texts are to be similar to text i.
func partners(texts []labelledText, i int) int {
	n := 0
	for _, t := range texts {
		if texts[i].similar(t) {
			n++
		}
	}
	return n
}

// anchor returns the part of the loss of text i and replaces its row of similarities by
// their gradients.
func (c *contrast) anchor(i int, texts []labelledText, anchors float64) float64 {
	row := c.similarities[i*len(texts):][:len(texts)]
	count := partners(texts, i)
	if count == 0 {
		clear(row)
		return 0
	}
	most := math.Inf(-1)
	for j, s := range row {
		if texts[i].counted(texts[j]) {
			most = max(most, s)
		}
	}
	var sum float64
	for j, s := range row {
		if texts[i].counted(texts[j]) {
			sum += math.Exp(s - most)
		}
	}
	logSum := most + math.Log(sum)
	loss := 0.0
	for j, s := range row {
		if !texts[i].counted(texts[j]) {
			row[j] = 0
			continue
		}
		g := math.Exp(s - logSum)
		if texts[i].similar(texts[j]) {
			loss -= (s - logSum) / float64(count)
			g -= 1 / float64(count)
		}
		row[j] = g / anchors
	}
	return loss / anchors
}
