"""The figure behind the files, and what all figures must keep to."""

import pytest


@pytest.fixture
def drawn(monkeypatch):
    """Every figure that was saved, in order; each is saved twice."""
    from matplotlib.figure import Figure

    figures = []
    savefig = Figure.savefig

    def keep(self, *args, **kwargs):
        figures.append(self)
        savefig(self, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


@pytest.fixture
def legible():
    """Check that texts are inside the page and that no two overlap; return them."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    def check(figure):
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        ticks = {
            label
            for axes in figure.axes
            for axis in (axes.xaxis, axes.yaxis)
            for label in axis.get_ticklabels(which="both")
        }
        texts = [
            text
            for text in figure.findobj(Text)
            if text.get_visible() and text.get_text().strip() and text not in ticks
        ]
        boxes = [text.get_window_extent(canvas.get_renderer()) for text in texts]
        for text, box in zip(texts, boxes, strict=True):
            inside = figure.bbox.padded(1)
            assert inside.contains(box.x0, box.y0), text
            assert inside.contains(box.x1, box.y1), text
        for i, box in enumerate(boxes):
            over = [j for j in range(i) if box.padded(-1).overlaps(boxes[j].padded(-1))]
            assert not over, (texts[i], [texts[j] for j in over])
        return {text.get_text() for text in texts}

    return check
