"""One file for each kind of figure: frame in, plotly figure out. Figures say units and draw intervals."""
