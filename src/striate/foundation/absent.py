"""Names of Keras's that striate does not have: why not, in one table for the errors and for docs/keras.md."""

import dis
import fnmatch
import sys
from types import FrameType
from typing import Any, NoReturn

from striate.foundation.checks import UnsupportedError, nearest

PAGE = "docs/keras.md"
LATER = "not written yet"
OTHER_NETWORK = "not written yet; `load_model` opens the .keras file that Keras saves of it"
# Why a name is not there: the first pattern that fits the name, or else the namespace that it is in.
REASONS = {
    "applications.[Cc]onv*": LATER,
    "applications.[Ii]nception[_R]*[Vv]2": LATER,
    "applications.[Nn][Aa][Ss]*": LATER,
    "applications.*ception*": OTHER_NETWORK,
    "applications.*[Vv]2": OTHER_NETWORK,
    "applications.[Dd]ense*": OTHER_NETWORK,
    "applications.[Ee]fficient*": OTHER_NETWORK,
    "applications.[Mm]obile*": OTHER_NETWORK,
    "backend": "torch computes; `utils`, `config` and `ops` have what is of use to programs",
    "device": "`model.to(device)` and torch.device say where to compute",
    "distillation": LATER,
    "distribution": "one process trains on one device",
    "dtype_policies": "`mixed_precision` has the precisions; numbers are not quantized",
    "export": "`.keras` files are what is handed on",
    "legacy*": "Keras keeps it for old programs only",
    "name_scope": "layers are named one by one, with `name=`",
    "preprocessing.image.smart_resize": "`ops.image.resize(..., crop_to_aspect_ratio=True)` does this",
    "preprocessing": "`utils` has these functions, `layers` what changes pictures at random",
    "quantizers": "numbers are not quantized",
    "remat": "torch.utils.checkpoint does this",
    "tree": "a loop over the values, or a function that calls itself, does this",
    "utils.bounding_boxes": "boxes are not handled",
    "utils.legacy*": "Keras keeps it for old programs only",
    "optimizers.legacy*": "Keras keeps it for old programs only; `optimizers` has the optimizers",
    "visualization": "Matplotlib draws pictures; boxes are not handled",
    "wrappers": "a class of a few lines around `fit` and `predict` does this",
    "Function": "`Model(inputs, outputs)` is the graph of layers",
    "KerasTensor": "`Input` returns symbols; `isinstance(x, torch.Tensor)` tells arrays from them",
    "Operation": "write a subclass of `Layer`",
    "Quantizer": "numbers are not quantized",
    "RematScope": "torch.utils.checkpoint does this",
    "*Scope": "torch computes at once, without scopes",
    "Variable": "weights are torch's: `Layer.add_weight` or torch.nn.Parameter makes them",
    "FloatDTypePolicy": "`DTypePolicy` does this",
    "InputSpec": "`compute_output_shape` of a layer refuses shapes",
    "version": "`__version__` says it",
    "layers.InputSpec": "`compute_output_shape` of a layer refuses shapes",
    "layers.Wrapper": "a subclass of `Layer` that holds a layer does this",
    "layers.ConvLSTM*": "`TimeDistributed(Conv2D(...))` before an LSTM does much of it",
    "layers.*Attention": "not written yet; a subclass of `Layer` may hold torch.nn.MultiheadAttention",
    "layers.Pipeline": "`Sequential` does this",
    "datasets.imdb": "texts, not pictures; Keras's copy is pickled",
    "datasets.reuters": "texts, not pictures; Keras's copy is pickled",
    "datasets.*_housing": "tables, not pictures; read a copy with NumPy",
    "layers.Lambda": "files carry no code; write a subclass of Layer",
    "layers.TFSMLayer": "needs TensorFlow",
    "layers.JaxLayer": "needs JAX",
    "layers.FlaxLayer": "needs JAX",
    "layers.TorchModuleWrapper": "`TorchModule` does this, for channels-last networks",
    "layers.*Spectrogram": "sound, not pictures",
    "layers.String*": "texts, not pictures",
    "layers.Integer*": "tables, not pictures",
    "layers.Hash*": "tables, not pictures",
    "layers.Discretization": "tables, not pictures",
    "layers.CategoryEncoding": "tables, not pictures; `utils.to_categorical` and `ops.one_hot` encode classes",
    "layers.MaxNumBoundingBoxes": "boxes are not handled",
    "*.*serialize*": "models are saved and loaded as `.keras` files (`model.save`, `load_model`)",
    "losses.[cC][tT][cC]": "for speech and handwriting, not pictures",
    "optimizers.OptimizerMap": "one optimizer trains all weights",
    "optimizers.MultiOptimizer": "one optimizer trains all weights",
    "config.*flash_attention*": "torch chooses how attention is computed",
    "config.*epsilon": "every layer, loss and optimizer takes an epsilon of its own",
    "config.*image_data_format": "arrays are channels-last; layers take data_format",
    "config.*max_*": "`epochs` and `steps_per_epoch` of `fit` say it",
    "config.*backend": "torch computes",
    "config.is_nnx_enabled": "needs JAX",
    "config.enable_unsafe_deserialization": "files never run code",
    "config.*interactive_logging*": "`verbose=` decides what is shown",
    "config.*traceback_filtering*": "errors of striate's own are short",
    "callbacks.RemoteMonitor": "striate never uses the network",
    "callbacks.OrbaxCheckpoint": "needs JAX; `BackupAndRestore` and `ModelCheckpoint` keep what is learnt",
    "callbacks.ProgbarLogger": "`ProgressBar` shows progress",
    "utils.get_file": "striate never uses the network; pass the path of a file that is there",
    "utils.model_to_dot": "striate draws without Graphviz: `plot_model` writes SVG",
    "utils.Progbar": "`ProgressBar` shows progress of `fit`",
    "utils.FeatureSpace": "tables, not pictures",
    "utils.audio_dataset_from_directory": "sound, not pictures",
    "utils.*interactive_logging*": "`verbose=` decides what is shown",
    "utils.is_keras_tensor": "there are no Keras tensors; `Input` returns symbols",
    "utils.Config": "a plain dict does",
    "utils.standardize_dtype": "torch's dtypes are used",
    "utils.get_source_inputs": "`model.inputs` names them",
    "saving.KerasFileEditor": "a `.keras` file is edited with Keras, and opens in striate",
    "saving.save_weights": "`model.save_weights` writes them",
    "saving.load_weights": "`model.load_weights` reads them",
    "initializers.[sS][tT][fF][tT]*": "sound, not pictures",
    "ops.*stft": "sound, not pictures",
    "ops.extract_sequences": "sound, not pictures",
    "ops.ctc_*": "for speech and handwriting, not pictures",
    "ops.custom_gradient": "torch.autograd.Function does this",
    "ops.associative_scan": "`ops.scan` computes the same, step by step",
    "ops.vectorize": "`ops.vectorized_map` maps over arrays",
    "ops.jvp": "torch.func.jvp does this",
    "ops.view*": "a tensor has torch's own methods: x.view(dtype)",
    "ops.rearrange": "`ops.reshape` and `ops.transpose` say the same",
}
# Nothing speaks against these.
NOT_WRITTEN = {
    "layers": """
        AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D AdaptiveMaxPooling1D
        AdaptiveMaxPooling2D AdaptiveMaxPooling3D AugMix AutoContrast
        ContrastLimitedAdaptiveHistogramEqualization CutMix EinsumDense Equalization MixUp RMSNormalization
        RandAugment RandomColorDegeneration RandomColorJitter RandomElasticTransform RandomErasing
        RandomGaussianBlur RandomGrayscale RandomHue RandomInvert RandomPerspective RandomPosterization
        RandomSaturation RandomSharpness RandomShear ReversibleEmbedding Solarization SpectralNormalization
    """,
    "losses": "Circle circle",
    "metrics": "ConcordanceCorrelation PearsonCorrelation concordance_correlation pearson_correlation",
    "optimizers": "Adafactor Lamb Muon ScheduleFreeAdamW",
    "ops": """
        angle argpartition bartlett bitwise_invert bitwise_left_shift bitwise_not bitwise_right_shift blackman
        cbrt cdist cholesky_inverse conj conjugate corrcoef correlate diagflat dsplit eig fabs fft fft2 fmod
        fold gcd geomspace hamming hanning heaviside histogram hsplit i0 ifft2 imag irfft isreal kaiser lcm
        ldexp left_shift logaddexp2 logdet lstsq lu_factor matrix_rank nanargmax nanargmin nancumprod nancumsum
        nanmax nanmean nanmedian nanmin nanpercentile nanprod nanquantile nanstd nansum nanvar nextafter polar
        real rfft right_shift segment_min segment_prod select signbit slogdet solve_triangular trapezoid
        unfold unravel_index vander vsplit
    """,
    "ops.image": """
        elastic_transform extract_patches_3d gaussian_blur map_coordinates perspective_transform
        scale_and_translate sobel_edges ssim
    """,
    "random": "beta binomial gamma",
}


class AbsentError(UnsupportedError, AttributeError):
    """A module does not have this name; `hasattr` says so."""


class AbsentImportError(UnsupportedError, ImportError):
    """`from module import name` asked for it: Python would put words of its own in place of an AttributeError's."""


def reason(path: str, name: str) -> str | None:
    """Why striate does not have a name of Keras's; None where Keras does not have it, or striate does.

    Args:
        path: The namespace in Keras: "layers"; "" for `keras` itself.
        name: The name there.

    Example:
        >>> reason("layers", "StringLookup"), reason("losses", "circle"), reason("layers", "Conv2d")
        ('texts, not pictures', 'not written yet', None)
        >>> reason("backend", "clear_session") == reason("", "backend")
        True
    """
    if name in NOT_WRITTEN.get(path, "").split():
        return LATER
    full = f"{path}.{name}".removeprefix(".")
    while full:
        for pattern, text in REASONS.items():
            if fnmatch.fnmatchcase(full, pattern):
                return text
        full = full.rpartition(".")[0]
    return None


class AbsentModuleError(UnsupportedError, ModuleNotFoundError):
    """There is no module of this name: Python asks for one where `from striate.name import ...` is said."""


def absent_module(fullname: str) -> AbsentModuleError:
    """The error for a module of this package that is not there.

    Example:
        >>> import striate.backend
        Traceback (most recent call last):
        striate.foundation.absent.AbsentModuleError: Module 'striate' got Keras's 'backend'; it needs one of the names \
that are there (torch computes; `utils`, `config` and `ops` have what is of use to programs). docs/keras.md lists them.
    """
    parent, _, name = fullname.rpartition(".")
    error = AbsentModuleError(*said_of(parent, name))
    error.name = fullname  # as Python's own has it: after `from package import name` it then asks the package
    return error


def explain_absent(module: str) -> None:
    """Let a module say, of a name that it does not have, why not and what there is.

    It becomes the module's `__getattr__`, set from here so that type checkers go on refusing such names.

    Args:
        module: Its name; its `__all__` are the names that it has.
    """

    def refuse(name: str) -> NoReturn:
        raise absent(module, name, sys._getframe(1))

    sys.modules[module].__getattr__ = refuse  # type: ignore[method-assign]


def absent(module: str, name: str, caller: FrameType) -> Exception:
    """The error for a name that a module does not have.

    Args:
        module: The module's name.
        name: What was asked for.
        caller: Who asked.
    """
    if name.startswith("_"):  # Python's own questions
        return AttributeError(f"module {module!r} has no attribute {name!r}")
    importing = caller.f_code.co_code[caller.f_lasti] == dis.opmap["IMPORT_FROM"]
    error = AbsentImportError if importing else AbsentError
    return error(*said_of(module, name))


def said_of(module: str, name: str) -> tuple[str, str, str, str]:
    """What an error says of a name that a module does not have: where, got, needs, fix."""
    why = reason(module.partition(".")[2], name)
    if why is not None:
        got, needs, fix = f"Keras's {name!r}", f"one of the names that are there ({why})", f"{PAGE} lists them."
    else:
        close = nearest(name, _names(module))
        fix = close if close.startswith("Did") else f"{PAGE} lists them."
        got, needs = f"{name!r}", "one of the names that are there"
    return f"Module {module!r}", got, needs, fix


def _names(module: str) -> Any:
    return getattr(sys.modules[module], "__all__", ())
