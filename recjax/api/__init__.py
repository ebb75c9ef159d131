"""The verbs of `import recjax as rj`: what the commands do, from Python."""
