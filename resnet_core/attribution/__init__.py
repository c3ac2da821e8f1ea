"""Where a net looked: attribution by Captum, its methods and their parameters declared as data, and how far a map is to be believed.

For example::

    from resnet_core.attribution import METHODS, layers_of  # no torch: pages and the command line build their widgets from these
    from resnet_core.attribution.compute import attribute  # torch and Captum
    from resnet_core.attribution.trust import infidelity, sensitivity
    from resnet_core.attribution.sanity import cascade

    found = attribute(loaded, image, "integrated-gradients", target=3, steps=50)
    found.map  # float32 (32, 32)
"""

from resnet_core.attribution.layers import CascadeStep, cascade_steps, default_layer, layer_shapes, layers_of, outputs_of
from resnet_core.attribution.methods import METHODS, TRUST, Method, Parameter, check_target

__all__ = [
    "METHODS", "TRUST", "CascadeStep", "Method", "Parameter", "cascade_steps", "check_target", "default_layer", "layer_shapes", "layers_of",
    "outputs_of",
]  # fmt: skip
