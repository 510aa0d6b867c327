package strategy

// Coverage asks for the tasks that best cover the pool where the model is unsure of it (Bae,
// Oliveira & Sutherland, "Uncertainty Herding", ICLR 2025). How unsure it is of a task is 1
// less the Score, which is that of Margin. What a task covers no single task can say: the
// ranking does that.
type Coverage struct{ Margin }

var _ Strategy = Coverage{}
