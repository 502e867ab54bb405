"""Networks that can be trained, looked at and saved: `Sequential`, functional and subclassed models."""

from striate.foundation.absent import explain_absent
from striate.models.clone import clone_model
from striate.models.model import Model
from striate.models.program import Program
from striate.models.saving import load_model, model_from_json, save_model
from striate.models.sequential import Sequential

__all__ = ["Model", "Program", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"]

explain_absent(__name__)
