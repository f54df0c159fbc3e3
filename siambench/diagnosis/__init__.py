"""Why a model does not train: one's own objects, a method or a row looked at, without a change to them. One check to a function."""
