"""One file for each framework: ``tasks(workload, variant)`` gives functions of no argument.

``gradient``, ``sam`` (a SAM step: two gradients, ε̂, SGD with momentum), ``hvp`` and ``second``
(SAM's second-order gradient), as far as the framework can. Each returns arrays in the framework's
own kind; ``to_numpy`` makes them one vector, in the order of the parameters.
"""
