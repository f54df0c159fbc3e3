"""The rules of exams, and what they do with data: how it is cut, and which part of it a unit may see."""
